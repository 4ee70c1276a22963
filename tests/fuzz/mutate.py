"""Mutants of real files: of their bytes, and of the JSON in them. Everything is drawn from one random.Random."""

import copy
import json

# What a value is replaced by, as it is written in a file: other types, numbers at and beyond every edge, half a
# character, nesting that no parser follows.
HOSTILE = [
    *("null", "true", "false", "0", "1", "-1", "2", "3", "7", "0.5", "-0.0", "1e-9", "1e308", "-1e308", "1e999"),
    *("NaN", "Infinity", "-Infinity", "1e-400", "01", "+1", "0x10", ".5", "1.", "1e", "--1"),
    *map(str, (2**15, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30)),
    *("9" * 400, "9" * 5000, "0." + "9" * 400),
    *('""', '"a"', '" "', '"0"', '"1"', '"true"', '"null"', '"NaN"', r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"'),
    *(
        r'"\n"',
        r'"\u001b[31m"',
        r'"\u202e"',
        '"..‮/"',
        '"../../etc/passwd"',
        '"/dev/zero"',
        '"/"',
        '"."',
        '"model.gguf"',
    ),
    *('"<|im_end|>"', '"<|endoftext|>"', '"<|im_start|>user"', '"<s>"', '"é"', '"e\u0301"', '"\U0001f600"', '"▁"'),
    *(
        '"' + "x" * 300 + '"',
        '"' + "ab " * 5000 + '"',
        '"' + " " * 5000 + '"',
        '"(a+)+$"',
        r'"\\"',
        r'"["',
        r'"\u2581"',
    ),
    *("[]", "{}", "[[]]", "[0]", "[null]", '{"": null}', '{"a": {"a": {}}}', "[1, 2, 3]", '["a", "b"]', '[["a", "b"]]'),
    *("[" * 500 + "]" * 500, "[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "[" + "0," * 3000 + "0]", "", "}", ","),
]
NUMBERS = [0, 1, 2, 7, 31, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def mutant_of_bytes(data, rng, head=None):
    """The bytes with one to three of them, or of their stretches, changed. head: most changes lie before this byte."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        end = len(data) if not head or rng.random() < 0.2 else min(head, len(data))
        at, to = sorted((rng.randrange(end + 1), rng.randrange(end + 1)))
        way = rng.randrange(9)
        if way == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : min(to, at + rng.choice((1, 2, 4, 8, 64, 4096)))]
        elif way == 3:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif way == 4:
            data[at:at] = data[at:to]
        elif way == 5:
            size = rng.choice((1, 4, 8))
            data[at : at + size] = (rng.choice(NUMBERS) % 256**size).to_bytes(size, "little")
        elif way == 6:
            data[at:to] = rng.choice((b"\0", b"\xff", b" ", b"[", b"\n")) * (to - at)
        elif way == 7:
            middle = rng.randrange(at, to + 1)
            data[at:to] = data[middle:to] + data[at:middle]
        else:
            data[at:at] = rng.choice(
                (b"\0", b"\xed\xa0\x80", b"\xff", b"\xef\xbb\xbf", b"\r\n", b'"', b"{", b"]", b"\x1f\x8b")
            )
    return bytes(data)


def mutant_of_json(value, rng):
    """The JSON, as bytes, of a value in which one to three places are changed; it may not be JSON any more."""
    value, raw = copy.deepcopy(value), {}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holder, key = place(value, rng)
        way = rng.randrange(10)
        if holder is None:
            return mutant_of_bytes(json.dumps(value).encode(), rng)
        if way == 0:
            del holder[key]
        elif way == 1:
            other, there = place(value, rng)
            holder[key], other[there] = copy.deepcopy(other[there]), copy.deepcopy(holder[key])
        elif way == 2 and isinstance(holder, dict):
            holder[rng.choice(("", key + "_", key.upper(), "type", "\ud800"))] = holder.pop(key)
        elif way == 3:
            holder[key] = [holder[key]]
        elif way == 4 and isinstance(holder[key], str):
            cut = rng.randrange(len(holder[key]) + 1)
            holder[key] = rng.choice((holder[key][:cut], holder[key] * 2, holder[key].upper(), holder[key] + "\u0301"))
        elif way == 5 and isinstance(holder[key], (int, float)):
            holder[key] = holder[key] * rng.choice((-1, 0, 2, 10, 2**31, 0.5)) + rng.choice((0, 1, -1))
        elif way == 6 and isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
        else:
            mark = f"@@{len(raw)}@@"
            raw[f'"{mark}"'] = rng.choice(HOSTILE)
            holder[key] = mark
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))
    if rng.random() < 0.1:  # a key twice
        keys = [part for part in text.split('"') if part and part.isprintable()] or ["a"]
        text = text.replace("{", f'{{"{rng.choice(keys)}": {rng.choice(HOSTILE)}, ', 1)
    for mark, hostile in raw.items():
        text = text.replace(mark, hostile)
    data = text.encode(errors="surrogatepass")
    return mutant_of_bytes(data, rng) if rng.random() < 0.05 else data


def place(value, rng):
    """(holder, key) of some value inside a JSON value, the nearer the likelier; (None, None) if there is none."""
    holder = key = None
    while isinstance(value, (dict, list)) and value and (holder is None or rng.random() < 0.75):
        holder, key = value, rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = holder[key]
    return holder, key
