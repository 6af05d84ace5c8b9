from __future__ import annotations

import subprocess
import sys

ASK = """
import sys
from pathlib import Path
from tailtune.services.endpoint import AnswerCache, Endpoint, Budget
from tailtune.config.prompting import LanguageModelSpec

spec = LanguageModelSpec(name="a", endpoint="http://127.0.0.1:9/v1")
model = Endpoint(spec, None, AnswerCache(Path("answers-of-nobody.sqlite")), Budget(1))
assert model.ask([]) == []
assert model.count_tokens("a") == 1
print({"openai", "httpx2", "httpx", "numpy"} & set(sys.modules), Path("answers-of-nobody.sqlite").exists())
"""


def test_opening_a_model_loads_no_client_and_makes_no_file() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("set() False", "")
