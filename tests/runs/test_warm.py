"""Calls that a server of copies executes: the same answers, words and exit codes as processes of their own."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import gone, soon

from helpers.runs.files import child_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux only")

CALL = [sys.executable, "-m", "helpers.runs.warm", "call"]
OWN = """
import gc, os, signal, sys

read = "nothing"

def prepare():
    global read
    read = "prepared"

def main(arguments):
    word = arguments[0]
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "leave":
        print("not so", file=sys.stderr)
        raise SystemExit(2)
    if word == "raise":
        raise ValueError("a fault of the call")
    print(word, os.environ.get("OF_THE_CALL"), "OF_THE_SERVER" in os.environ, "papermill" in sys.modules, read)
    assert gc.isenabled(), "garbage of this call would stay"
    return int(arguments[1])

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[subprocess.CompletedProcess], str]:
    """Return how some calls of a module ended that one command made beside a server, and what the server said."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "own_module.py").write_text(OWN)
    (folder / "calls.py").write_text(
        "import os, pickle, subprocess, sys\n"
        "del os.environ['OF_THE_SERVER']\n"
        "def ended(*words):\n"
        f"    return subprocess.run([*{CALL}, *words], capture_output=True, text=True, "
        "env={**os.environ, 'OF_THE_CALL': words[-1]})\n"
        "calls = 'said 0', 'said 3', 'die 0', 'raise 0', 'said 0', 'leave 0'\n"
        "done = [ended('own_module', *words.split()) for words in calls]\n"
        f"pickle.dump(done, open({str(folder / 'done')!r}, 'wb'))\n"
        "sys.exit(7)\n"
    )
    beside = "import sys; from helpers.runs import warm; sys.exit(warm.beside(sys.argv[1:], prepare='own_module'))"
    line = [sys.executable, "-c", beside, sys.executable, str(folder / "calls.py")]
    longest = folder / ("d" * 100)  # of temporary files: no socket could have its address there
    longest.mkdir()
    environment = child_environment(PYTHONPATH=_path(folder), TMPDIR=str(longest), OF_THE_SERVER="1")
    whole = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert whole.returncode == 7, whole.stderr
    import pickle

    return pickle.loads((folder / "done").read_bytes()), whole.stderr


@pytest.fixture
def calls(command: tuple[list[subprocess.CompletedProcess], str]) -> list[subprocess.CompletedProcess]:
    return command[0]


def _path(folder: Path) -> str:
    return f"{folder}:{child_environment()['PYTHONPATH']}"


def test_a_call_speaks_at_its_own_terminal_and_has_its_own_variables(calls):
    assert (calls[0].stdout, calls[0].stderr, calls[0].returncode) == ("said 0 False True prepared\n", "", 0)


def test_what_notebooks_import_warns_of_nothing(command):
    """A notebook that begins with everything imported shows no warning of an import."""
    said = [line for line in command[1].splitlines() if "font cache" not in line]  # Matplotlib's, once per machine
    assert said == []


def test_exit_codes_are_those_of_the_call(calls):
    assert [call.returncode for call in calls] == [0, 3, 1, 1, 0, 2]
    assert calls[1].stdout == "said 3 False True prepared\n"


def test_an_error_of_a_call_is_shown_and_the_next_call_is_answered(calls):
    assert "ValueError: a fault of the call" in calls[3].stderr
    assert calls[4].stdout == "said 0 False True prepared\n"


def test_without_its_server_a_call_is_a_process_of_its_own(tmp_path):
    (tmp_path / "own_module.py").write_text(OWN)
    environment = child_environment(PYTHONPATH=_path(tmp_path), QTP_WARM=str(tmp_path / "gone"), OF_THE_CALL="4")
    done = subprocess.run([*CALL, "own_module", "said", "4"], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("said 4 False False nothing\n", 4)


SERVED = """
import os, subprocess, sys
import psutil
from helpers.runs import warm
with warm.server() as named:
    [server] = psutil.Process().children()
    for _ in range(2):
        call = [*{call}, "helpers.runs.book", "--config", "no_such"]
        done = subprocess.run(call, env=os.environ | named, stderr=subprocess.PIPE, text=True)
        copies = [copy.pid for copy in server.children()]
        print(done.returncode, "no_such" in done.stderr, "Traceback" in done.stderr, *copies)
"""


def test_calls_for_pages_are_answered_by_one_copy_that_ends_with_the_server():
    line = [sys.executable, "-c", SERVED.format(call=CALL)]
    done = subprocess.run(line, env=child_environment(), stdout=subprocess.PIPE, text=True, check=True)
    first, second = done.stdout.splitlines()
    *ended, copy = first.split()
    assert ended == ["1", "True", "False"], done.stdout
    assert second == first
    assert soon(lambda: gone(int(copy)))


def test_a_call_that_is_given_what_it_does_not_take_ends_as_its_module_does(calls):
    assert calls[5].returncode == 2 and calls[5].stderr == "not so\n"


def test_help_says_what_it_is_for():
    done = subprocess.run(CALL[:-1], env=child_environment(), capture_output=True, text=True)
    assert done.returncode == 0
    assert "processes that begin with everything imported" in done.stdout.lower()


CALLER = """
import os, subprocess, sys
from helpers.runs import warm
with warm.server(prepare="own_module") as named:
    for name in sys.argv[1:]:
        print(subprocess.Popen([*{call}, "own_module", "wait", name], env=os.environ | named).pid, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.faults
def test_what_a_call_does_ends_with_the_call_and_with_the_command(tmp_path):
    waits = "    if word == 'wait':\n        open(arguments[1], 'w').write(str(os.getpid()))\n        time.sleep(60)\n"
    own = OWN.replace("import gc, os, signal, sys", "import gc, os, signal, sys, time")
    (tmp_path / "own_module.py").write_text(
        own.replace("    word = arguments[0]\n", f"    word = arguments[0]\n{waits}")
    )
    told = [tmp_path / "first", tmp_path / "second"]
    line = [sys.executable, "-c", CALLER.format(call=CALL), *map(str, told)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, env=child_environment(PYTHONPATH=_path(tmp_path)), **pipes) as command:
        calls = [psutil.Process(int(command.stdout.readline())) for _ in told]
        assert soon(lambda: all(path.is_file() and path.read_text() for path in told), 60)
        first, second = (int(path.read_text()) for path in told)
        calls[0].kill()
        assert soon(lambda: gone(first)) and not gone(second)
        command.kill()
        assert soon(lambda: gone(second) and gone(calls[1].pid))
