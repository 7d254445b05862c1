import os
import subprocess
import sys
import time
from pathlib import Path

from labelstudio.claims import Claims


def test_what_one_has_taken_others_do_not_get(tmp_path: Path) -> None:
    one, two = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    assert one.take("a")
    assert not two.take("a")
    assert not one.take("a"), "nor another thread of the same process"
    assert two.take("b")
    one.release(["a", "b", "never taken"])
    assert two.take("a")
    assert not one.take("b"), "it was not one's to give back"


def test_a_dead_process_blocks_nobody(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from labelstudio.claims import Claims; Claims(Path({str(tmp_path)!r})).take('a')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    assert (tmp_path / "a").exists()
    assert Claims(tmp_path).take("a")
    assert not Claims(tmp_path).take("a")


def test_a_claim_that_is_too_old_is_taken_over_and_its_first_holder_cannot_give_it_back(tmp_path: Path) -> None:
    slow, quick = Claims(tmp_path, ttl=10), Claims(tmp_path, ttl=10)
    assert slow.take("a")
    past = time.time() - 11
    os.utime(tmp_path / "a", (past, past))
    assert quick.take("a")
    slow.release(["a"])
    assert not slow.take("a")


def test_a_claim_of_another_machine_holds_until_it_is_old(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("elsewhere 1 0123")
    assert not Claims(tmp_path, ttl=10).take("a")
    past = time.time() - 11
    os.utime(tmp_path / "a", (past, past))
    assert Claims(tmp_path, ttl=10).take("a")


def test_a_folder_that_cannot_be_written_costs_nothing_but_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    claims = Claims(tmp_path / "file" / "claims")
    assert claims.take("a")
    assert claims.take("a")
    claims.release(["a"])


def test_a_claim_from_before_the_clock_was_set_back_is_taken_over(tmp_path: Path) -> None:
    assert Claims(tmp_path).take("a")
    ahead = time.time() + 3600
    os.utime(tmp_path / "a", (ahead, ahead))
    assert Claims(tmp_path).take("a")
