"""`tfplm demo` on tiny texts: the whole run, resuming, errors; slow: that it learns."""

import json
import re
import shlex

import pytest

import tfplm
from tfplm.cli import VERBS
from tfplm.demos import demo as module
from tfplm.demos.demo import demo, is_chinese, next_steps, output_of
from tfplm.models.scoring.fill_mask import fill_mask
from tfplm.options.demo import DemoOptions

CHINESE = "却说曹操引大军追赶刘备，玄德大惊，急令关羽迎敌。\n云长应声而出，挺刀跃马，直取敌将首级，众军皆惊。\n" \
          "次日天明，两军对阵，鼓声大震，一将飞马而来。\n孔明笑曰：“吾有一计，可破曹兵，主公勿忧。”\n\n"
ENGLISH = "The whale was white, and the sea was very wide that day. The ship sailed on, but no man on it spoke a word.\n"


@pytest.fixture
def novel(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text(CHINESE * 60, encoding="utf-8")
    return path


def small(path, output, **options):
    return demo(text=[str(path)], output=str(output), steps=options.pop("steps", 4), vocab_size=300, sentences=2,
                **options)


@pytest.mark.slow
def test_a_chinese_text_and_a_second_run(novel, tmp_path, capsys):
    output = tmp_path / "out"
    result = small(novel, output)
    shown = capsys.readouterr().out
    for part in ("1  a vocabulary of 300 tokens", "2  the text as records", "3  pre-training, with masked characters",
                 "mlm accuracy", "parameters", "tokens/s", "masked words the first guess is right", "baseline, always",
                 "Next steps:", f"tfplm fill-mask {output / 'model'}"):
        assert part in shown
    assert {path.name for path in output.iterdir()} == {"demo.json", "vocabulary", "records", "model", "logs"}
    assert result.training.steps == 4 and set(result.training.baselines) >= {"mlm_accuracy", "mlm_loss"}
    assert len(result.filled) == 2 and "[MASK]" in result.filled[0].text
    assert all(0 < c.probability < 1 for c in result.filled[0].candidates)
    config = json.loads((output / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "modernbert" and config["local_attention"] == 8
    assert len(fill_mask(output / "model", "曹[MASK]大惊")[0][0]) == 5
    assert tfplm.Tokenizer.from_pretrained(output / "model").vocab == result.training.tokenizer.vocab

    before = {path: path.stat().st_mtime_ns for path in (output / "records").iterdir()}
    again = small(novel, output)
    assert again.training.metrics == pytest.approx(result.training.metrics)
    assert [example.truth for example in again.filled] == [example.truth for example in result.filled]
    assert {path: path.stat().st_mtime_ns for path in (output / "records").iterdir()} == before
    with pytest.raises(ValueError, match=r"has a demo with other options \(vocab_size 300, now 5000\)"):
        demo(text=[str(novel)], output=str(output))


@pytest.mark.slow
def test_an_interrupted_demo_resumes(novel, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **keywords):
        raise KeyboardInterrupt

    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(module, "pretrain", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small(novel, output)
    assert f"The finished parts are kept in {output}: run the same command again to resume" in capsys.readouterr().err
    (output / "vocabulary.part").mkdir()  # left by an earlier kill
    assert small(novel, output, quiet=True).training.steps == 4


def test_english_is_distinguished_from_chinese(novel, tmp_path):
    english = tmp_path / "english.txt"
    english.write_text(ENGLISH * 20 + CHINESE, encoding="utf-8")
    options = DemoOptions()
    assert is_chinese([str(novel)], options) and not is_chinese([str(english)], options)
    assert not is_chinese(["builtin:python"], options)


def test_next_steps_are_existing_commands(tmp_path):
    training = type("Training", (), {"output": tmp_path / "model", "log_dir": tmp_path / "logs"})
    shown = next_steps(training, DemoOptions(text=["红楼梦.txt"]), chinese=True)
    assert "demo --text 红楼梦.txt --steps 20000" in shown
    verbs = re.findall(r"^ +tfplm ([\w-]+)", shown, re.MULTILINE)
    assert verbs == ["fill-mask", "demo", "finetune", "encode"] and set(verbs) <= set(VERBS)
    assert "--text" not in next_steps(training, DemoOptions(), chinese=False)


def test_printed_commands_can_be_pasted(tmp_path):
    training = type("Training", (), {"output": tmp_path / "三国 demo" / "model", "log_dir": tmp_path / "it's" / "logs"})
    options = DemoOptions(text=["a novel.txt", "$HOME.txt"], output="out/三国 demo")
    commands = [shlex.split(line) for line in next_steps(training, options, chinese=True).splitlines()]
    assert commands[0] == ["tensorboard", "--logdir", str(training.log_dir)]
    assert commands[1][:3] == ["tfplm", "fill-mask", str(training.output)] and len(commands[1]) == 4
    assert commands[2] == ["tfplm", "demo", "--text", *options.text, "--steps", "20000", "--output", "out/三国 demo-long"]


def test_each_text_has_its_own_folder():
    assert str(output_of(DemoOptions())) == "tfplm-demo"
    assert str(output_of(DemoOptions(text=["books/some novel.txt", "b.txt"]))) == "tfplm-demo-some-novel"
    assert str(output_of(DemoOptions(text=["三国演义.txt"]))) == "tfplm-demo-三国演义"
    assert str(output_of(DemoOptions(text=["a.txt"], output="x"))) == "x"


def test_unusable_texts(tmp_path):
    def attempt(name, content, **options):
        (tmp_path / name).write_bytes(content)
        return demo(text=[str(tmp_path / name)], output=str(tmp_path / f"out-{name}"), quiet=True, **options)

    with pytest.raises(ValueError, match="the corpus is empty; expected some text: "):
        attempt("empty.txt", b"\n\n")
    with pytest.raises(ValueError, match="looks like GBK: give --encoding gb18030"):
        attempt("gbk.txt", CHINESE.encode("gb18030") * 20)
    assert attempt("line.txt", "却说".encode(), vocab_size=50, steps=1).training.metrics == {}  # it is not held out
    with pytest.raises(FileNotFoundError, match=r"there is no file or folder .*lime\.txt; the nearest: .*line\.txt"):
        demo(text=[str(tmp_path / "lime.txt")], output=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["builtin:python", pytest.param("zh_novels", marks=pytest.mark.all)])
def test_it_learns(text, tmp_path, data):
    text = text if ":" in text else str(data(text))
    training = demo(text=[text], output=str(tmp_path / "out"), steps=2600, quiet=True).training
    assert training.metrics["mlm_accuracy"] > 2 * training.baselines["mlm_accuracy"]
    assert training.metrics["mlm_loss"] < training.baselines["mlm_loss"] - 0.7
