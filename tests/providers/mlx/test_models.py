"""Which models there are, what is said of one that is missing or too large, and how the thread comes and goes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from providers.base import CompletionRequest, ModelSpec, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.mlx import SPEC
from providers.mlx_client import Mlx
from providers.mlx_disk import cache_folder, locate
from providers.mlx_runtime import INSTALL
from providers.openai_client import OpenAICompatible
from tests.providers.ask import Heard, ask
from tests.providers.mlx import tiny
from tests.providers.mlx.ask import answer, asked, user
from tests.providers.mlx.conftest import NOBODY, UNCOMPILED, Opened, spec

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0


def settings(**given: object) -> object:
    return SPEC.settings.model_validate(given)


async def tried(provider: Mlx, model: str) -> Heard:
    heard = await ask(provider, asked(user("hi"), tokens=2), spec(model), NOBODY)
    await provider.aclose()
    return heard


def hub(folder: Path, *names: str) -> dict[str, str]:
    """A Hugging Face cache as huggingface_hub lays it out; what is in the models does not matter."""
    for name in names:
        repository = folder / f"models--{name.replace('/', '--')}"
        snapshot = repository / "snapshots" / "abc"
        snapshot.mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc\n")
        (snapshot / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
        (snapshot / "model-00001-of-00002.safetensors").touch()
    return {"HF_HUB_CACHE": str(folder)}


async def test_the_models_of_the_settings_and_of_the_disk_are_listed(tmp_path: Path) -> None:
    environ = hub(tmp_path / "hub", "mlx-community/Tiny-4bit", "org/some-embed-model")
    own = tmp_path / "own" / "mine"
    own.mkdir(parents=True)
    (own / "config.json").write_text('{"max_position_embeddings": 1024}')
    (own / "model.safetensors").touch()
    (tmp_path / "own" / "no-model").mkdir()
    given = settings(directory=str(tmp_path / "own"), models=[{"id": "org/later", "contextWindow": 2048}])
    provider = Mlx("mlx", given, environ)  # type: ignore[arg-type]
    found = await provider.list_models(NOBODY)
    assert [(each.model, each.context_window) for each in found] == [
        ("org/later", 2048),
        ("mine", 1024),
        ("mlx-community/Tiny-4bit", 4096),
    ]
    assert all(each.is_local and each.profile.prefill and not each.profile.tools for each in found)
    await provider.aclose()


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_cache_lies_where_the_hub_puts_it(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ) == Path(folder)


def test_a_model_is_found_by_repository_folder_or_path_and_nowhere_else(tmp_path: Path) -> None:
    environ = hub(tmp_path / "hub", "org/one")
    found = locate("org/one", None, environ)
    assert found is not None
    assert found.name == "abc"
    assert locate(str(found), None, {}) == found
    assert locate("one", found.parent.parent / "snapshots", {}) is None
    assert locate("abc", found.parent, {}) == found
    assert locate("../snapshots/abc", found.parent, {}) is None
    assert locate("org/two", None, environ) is None


async def test_a_missing_model_is_answered_with_how_to_fetch_it(tmp_path: Path) -> None:
    provider = Mlx("mlx", settings(), {"HF_HUB_CACHE": str(tmp_path)})  # type: ignore[arg-type]
    heard = await tried(provider, "mlx-community/Llama-3.2-3B-Instruct-4bit")
    assert heard.kind is ErrorKind.MODEL_GONE
    assert heard.error is not None
    assert heard.error.detail == (
        "mlx-community/Llama-3.2-3B-Instruct-4bit is not on this machine: fetch it with `hf download "
        "mlx-community/Llama-3.2-3B-Instruct-4bit`, or set models.providers.NAME.download to true; "
        f"looked in {tmp_path}"
    )


async def test_a_model_that_is_no_repository_is_answered_with_what_can_be_named(tmp_path: Path) -> None:
    provider = Mlx("mlx", settings(), {"HF_HUB_CACHE": str(tmp_path)})  # type: ignore[arg-type]
    heard = await tried(provider, "default_model")
    assert heard.error is not None
    assert "name a folder with config.json" in heard.error.detail


@pytest.mark.slow  # the hub's client is a process of its own
async def test_a_model_that_is_allowed_to_be_fetched_is_asked_of_the_hub(tmp_path: Path) -> None:
    """The hub stands at a loopback address here and has nothing."""
    tiny.require_mlx()
    paths: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        paths.append(head.decode().split()[1])
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    before = {name: os.environ.get(name) for name in ("HF_ENDPOINT", "HF_HOME")}
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path)}
        try:
            provider = Mlx("mlx", settings(download=True))  # type: ignore[arg-type]
            heard = await tried(provider, "org/nothing")
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ.update({name: value} if value is not None else {})
    assert heard.kind is ErrorKind.MODEL_GONE
    assert heard.error is not None
    assert heard.error.detail.startswith("org/nothing cannot be fetched: ")
    assert any("org/nothing" in path for path in paths)


async def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(opened: Opened) -> None:
    heard = await ask(opened(maxMemory=0.02, promptCacheMemory=0), asked(user("hi")), spec("random"), NOBODY)
    assert heard.kind is ErrorKind.MODEL_GONE
    assert heard.error is not None
    assert heard.error.detail.startswith("random needs 0.025 GB of memory (weights 0.009")
    assert "models may take 0.020 of" in heard.error.detail
    assert "it would need" in heard.error.detail


async def test_an_idle_model_makes_room_and_one_at_work_does_not(opened: Opened) -> None:
    provider = opened(maxMemory=0.03, maxContext=4096, promptCacheMemory=0)
    await answer(provider, asked(user("hi"), tokens=3))
    async with provider.stream(spec("endless"), asked(user("hi"), tokens=4000), NOBODY) as events:
        await anext(event async for event in events if isinstance(event, TextDelta))
        assert (await ask(provider, asked(user("hi")), spec("random"), NOBODY)).kind is ErrorKind.OVERLOADED
    async with asyncio.timeout(PATIENCE):
        while not provider.tally.dropped:
            await asyncio.sleep(0.005)
    await answer(provider, asked(user("hi"), tokens=3))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", '{"model_type": "unheard-of"}', "cannot be loaded: ValueError"),
        ("model.safetensors", "nothing", "cannot be read: model.safetensors is no .safetensors file"),
        ("tokenizer.json", "{}", "cannot be loaded"),
    ],
)
async def test_a_model_whose_files_are_wrong_is_said_so(
    opened: Opened, tmp_path: Path, file: str, content: str, said: str
) -> None:
    tiny.require_mlx()
    tiny.write(tmp_path / "broken", script=("Hello",))
    (tmp_path / "broken" / file).write_text(content)
    tiny.write(tmp_path / "whole", script=("Hello",))
    provider = opened(directory=str(tmp_path))
    heard = await ask(provider, asked(user("hi")), spec("broken"), NOBODY)
    assert heard.kind is ErrorKind.MODEL_GONE
    assert heard.error is not None
    assert said in heard.error.detail
    assert (await answer(provider, asked(user("hi")), "whole")).text == "Hello"


async def test_models_are_loaded_ahead_of_need_and_the_loop_goes_on(opened: Opened) -> None:
    """While the thread imports and loads, the loop turns many times."""
    provider = opened(preload=["says", "missing", "random"])
    turns = 0
    warming = asyncio.create_task(provider.warm())
    while not warming.done():
        turns += 1
        await asyncio.sleep(0)
    await warming
    assert turns > 100
    assert (await answer(provider, asked(user("hi"), tokens=50), "says")).text.startswith("Hello")
    await provider.warm()


async def test_with_an_address_a_server_is_asked_instead() -> None:
    async with Pools(trust_env=False) as pools:
        given = SPEC.settings.model_validate({"baseUrl": "http://127.0.0.1:9/v1/"})
        provider = SPEC.open("mlx", given, pools)
        assert isinstance(provider, OpenAICompatible)
        with pytest.raises(ProviderError) as caught:
            async with provider.stream(spec("m"), CompletionRequest((user("hi"),)), NOBODY) as events:
                async for _ in events:
                    pass
        assert caught.value.kind is ErrorKind.CONNECT
        await provider.aclose()


PROGRAM = """
import asyncio, sys
from tests.providers.mlx.conftest import NOBODY, spec
from tests.providers.mlx.ask import asked, user
from providers.mlx import SPEC
from providers.base import TextDelta
from providers.errors import ProviderError

async def main(folder, how):
    provider = SPEC.open("mlx", SPEC.settings.model_validate({"directory": folder, "maxContext": 100_000}), None)
    try:
        async with provider.stream(spec("m"), asked(user("hi"), tokens=90_000), NOBODY) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    print("spoke", flush=True)
                    if how == "leaves":
                        sys.exit(0)
                    break
    except ProviderError as error:
        print(error.detail)
    if how != "forgets":
        await provider.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def run(folder: Path, how: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder), how],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != UNCOMPILED},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow  # each run imports mlx anew, two seconds and more
@pytest.mark.parametrize(("how", "times"), [("closes", 2), ("forgets", 1), ("leaves", 1)])
def test_the_process_ends_cleanly_however_it_ends(how: str, times: int, tmp_path: Path) -> None:
    """Threads of mlx that outlive the models abort the process now and then."""
    tiny.require_mlx()
    tiny.write(tmp_path / "m", script=("Hello", " on"), loops=True, window=1_000_000)
    for _ in range(times):
        ended = run(tmp_path, how)
        assert (ended.returncode, ended.stdout.splitlines()[-1:], ended.stderr) == (0, ["spoke"], "")


WITHOUT = "import sys; sys.modules['mlx'] = sys.modules['mlx_lm'] = None\n"
"""What an interpreter without the extra says to an import."""


def test_without_the_extra_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    """Also where it is installed here."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "m" / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    ended = run(tmp_path, "closes", program=WITHOUT + PROGRAM)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{INSTALL}\n", "")
    assert INSTALL == "the extra is missing: pip install 'firstword[mlx]'"


async def test_a_model_that_only_the_settings_name_is_described_as_it_is_served() -> None:
    """Of a bare reference nothing is known elsewhere; here answers are continued and tools are not called."""
    provider = Mlx("mlx", settings(), {})  # type: ignore[arg-type]
    told = provider.describe(ModelSpec("mlx", "somebody/some-model"))
    assert (told.profile.prefill, told.profile.tools, told.is_local) == (True, False, True)
    await provider.aclose()
