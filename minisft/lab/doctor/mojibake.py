"""Mojibake: bytes of UTF-8 that somebody read in another encoding, as Ã© for é, or â€™ for ’.

A run of characters that are not ASCII is mojibake if it can be undone: written back in a wrong encoding, its bytes are
UTF-8 again. One character may be chance, as the É» of « CAFÉ» is, so it counts only as a letter inside a Latin word, or
as a dash or a quotation mark, which take three bytes.
"""

import re

ONE_BYTE, TWO_BYTES = ("cp1252", "cp1251", "mac_roman", "cp437", "cp850", "koi8_r"), ("cp932", "gbk", "cp949")
RUN = re.compile(r"[^\x00-\x7f]+(?: [^\x00-\x7f]+)*")  # a blank may be a part of it: à is Ã and one
CONTROL = re.compile(r"[\x80-\x84\x86-\x9f]")  # no text has them
LETTER, MARK = re.compile("[À-ſẠ-ỹ]"), re.compile("[‐-›€™]")

# What is never chance: Ã or Â and a sign, if it is no quotation mark behind a capital Ã; emoji; kana in Shift-JIS;
# commas and small words of Chinese in GBK; U+FFFD; a BOM.
SIGNS = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
SURE = re.compile(
    f"[ÃÂ][\x80-\xaa\xac-\xba\xbc-\xbf€ƒ†‡ˆ‰Š‹ŒŽ•˜™šœžŸ]|(?<=[a-z])Ã[{SIGNS}]|ðŸ[{SIGNS}]{{2}}|锟斤拷|ï»¿|ï¿½"
    "|[縺繧繝].?[縺繧繝]|[锛銆鈥鐨鍦鏄].{0,20}[锛銆鈥鐨鍦鏄]"
)

KANA = re.compile("(?:‚[Ÿ\xa0-ñ].{0,3}){2}|(?:ƒ.){2}")  # Shift-JIS in cp1252: です is ‚Å‚·, テスト is ƒeƒXƒg
HIGH, ASCII = re.compile("[\xa1-\xff]"), re.compile("[A-Za-z]")


def is_mojibake(text: str) -> bool:
    if text.isascii():
        return False
    if is_foreign(text) or CONTROL.search(text) or SURE.search(text) or KANA.search(text):
        return True
    return any(undone(run[0], text[: run.start()][-1:] + text[run.end() :][:1]) for run in RUN.finditer(text))


def is_foreign(text: str) -> bool:
    """Whether a text is of another alphabet, whose bytes were read as Latin-1: more accented letters than others."""
    high = HIGH.findall(text)
    letters = [c for c in high if c >= "À"]
    return len(set(high)) > 5 and 2 * len(letters) > len(high) > len(ASCII.findall(text))


def undone(run: str, beside: str) -> bool:
    """Whether a run of characters, none of them ASCII, is UTF-8 in a wrong encoding; `beside` are those around it."""
    for encoding in (*ONE_BYTE, *TWO_BYTES):
        try:
            right = written(run, encoding).decode("utf-8").replace(" ", "")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        if right.isascii() or not right.isprintable() or right == run.replace(" ", ""):
            continue
        if len(right) > (1 if encoding in ONE_BYTE else 4):  # 命令 may be undone by chance
            return True
        if encoding in ONE_BYTE and (
            MARK.match(right) or (LETTER.match(right) and any("a" <= c <= "z" for c in beside))
        ):
            return True
    return False


def written(run: str, encoding: str) -> bytes:
    """The bytes of a text in an encoding; in cp1252 those that have no character there are Latin-1's."""
    if encoding != "cp1252":
        return run.encode(encoding)
    return b"".join(c.encode("latin-1" if "\x80" <= c <= "\x9f" else "cp1252") for c in run)
