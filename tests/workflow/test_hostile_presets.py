"""Presets made to do harm: refused before they unfold, and nothing in them is made."""

import pytest
from hostile import refused
from presets import ConfigError, load_preset

LAUGHS = "l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
MERGES = "m0: &m0 {a: 1}\n" + "".join(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 30))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAUGHS, "its aliases unfold to too much"),
        (MERGES, "its aliases unfold to too much"),
        ("x: &x {y: *x}", "its aliases unfold to too much"),
        ("x: !!python/object/apply:os.mkdir [was-run]", "could not determine a constructor"),
        ("x: !!python/name:os.system", "could not determine a constructor"),
        ("[" * 100_000, "nested too deep"),
        ("x: " * 100_000, "larger than 131,072 bytes"),
        ("seed: 1\nseed: 2", "seed appears twice"),
        ("seed: .nan", "no finite number"),
        (f"seed: {'9' * 5000}", "not YAML"),
        ("seed: 2001-99-99", "not YAML"),
    ],
)
def test_a_preset_unfolds_to_little_and_makes_nothing(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    refused(path, lambda: load_preset(path), expected, ConfigError)
    assert not (tmp_path / "was-run").exists()
