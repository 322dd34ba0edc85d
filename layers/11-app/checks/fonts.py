import subprocess

from PIL import ImageFont

# A font draws the same box for every character that it lacks, this one among them.
NONE = "\U0010fffe"
TEXTS = {"zh-cn": "汉语", "zh-tw": "漢語", "ja": "日本語かな", "ko": "한국어"}

for language, text in TEXTS.items():
    pattern = f":lang={language}"
    # `fc-match` always has an answer; `fc-list` only what really covers the language.
    listed = subprocess.check_output(["fc-list", pattern, "file"], text=True)
    assert listed, f"no font covers {language}"
    chosen = subprocess.check_output(["fc-match", "--format=%{file} %{index}", pattern], text=True)
    file, index = chosen.rsplit(" ", 1)
    font = ImageFont.truetype(file, 32, index=int(index))
    box = bytes(font.getmask(NONE))
    for character in text:
        assert bytes(font.getmask(character)) != box, f"{file} has no {character}"
    print(f"{language}: {text} by {' '.join(font.getname())} of {file}")
