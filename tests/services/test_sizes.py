from pathlib import Path

from tailtune.services.sizes import folder_bytes


def test_all_files_below_count_and_a_link_as_what_it_leads_to(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 100)
    (folder / "deep" / "er" / "b").write_bytes(b"x" * 23)
    (tmp_path / "elsewhere").write_bytes(b"x" * 1000)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "broken").symlink_to(tmp_path / "gone")
    assert folder_bytes(folder) == 1123


def test_no_folder_has_no_bytes(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "none") == 0
