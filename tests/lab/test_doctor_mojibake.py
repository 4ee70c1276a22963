"""Text that was read as another encoding is known by its look, and honest text in many scripts is not."""

import pytest

from minisft.lab.doctor.mojibake import is_mojibake

WORDS = [
    "café",
    "naïve",
    "Über",
    "Привет",
    "日本語のテキスト",
    "你好世界吗",
    "안녕하세요",
    "नमस्ते",
    "שלום",
    "مرحبا",
    "Ελλάδα",
    "Việt",
    "“hi”",
    "😀",
]
ENCODINGS = ["cp1251", "mac_roman", "cp437", "latin-1"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_mojibake_of_many_scripts_is_seen(encoding):
    seen = [word for word in WORDS if is_mojibake(f"so {word} it".encode().decode(encoding, "ignore"))]
    assert len(seen) >= len(WORDS) - 3  # single letters in odd places may pass
    assert not any(map(is_mojibake, WORDS))


LOSSY = [  # read as another encoding, with errors="ignore": nothing can be undone
    ("これはテストです", "utf-8", "cp932"),
    ("つくえ", "utf-8", "cp932"),
    ("你好，这是我的书。他在中国，是学生。", "utf-8", "gbk"),
    ("テストの前に何をすべきですか", "cp932", "latin-1"),
    ("富士山の高さを教えてください", "cp932", "cp1252"),
    ("ソフトウェアのテスト", "cp932", "cp1252"),
    ("Где находится озеро?", "cp1251", "latin-1"),
    ("杭州有哪些家喻户晓的故事", "gbk", "latin-1"),
]


@pytest.mark.parametrize(("text", "right", "wrong"), LOSSY)
def test_mojibake_that_has_lost_bytes_or_is_of_no_utf_8_is_seen(text, right, wrong):
    assert is_mojibake(text.encode(right).decode(wrong, "ignore"))
    assert not is_mojibake(text)


HONEST = [
    "áéíóú",
    "Åse’s „Österreich“ ‚Ähre‘ ‚Über‘",
    "ƒ(x) = ƒ/2.8",
    "½ × ¼ ± 3 §",
    "« CAFÉ» fermé",
    "„MENÜ“",
    "PÅ”",
    "2√π r",
    "ещё «СССР» — №5…",
    "印刷 命令列 栈失效",
    "AMANHû",
    "€5 ™ ®",
    "cassé…”",
    "├── é",
]


@pytest.mark.parametrize("text", HONEST)
def test_what_looks_like_mojibake_and_is_none_passes(text):
    assert not is_mojibake(text)
