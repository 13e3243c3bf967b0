"""What a person hears: Say and Play, and the questions that begin with one."""

from emulator.state import Action, Call, Prompt
from emulator.voice import calls
from emulator.world import World


def let_hear(world: World, call: Call, prompt: Action | Prompt) -> float:
    """Let the person hear one Say or Play; return the seconds that it takes."""
    rate = world.settings.speech_chars_per_s
    if prompt.name == "Play":
        url = prompt.attributes["url"]
        calls.hear(world, call, "Play", f"[plays {url}]")
        if any(url in media for media in world.state.media.values()):
            calls.step(world, call, "Play", "from the files that were uploaded")
        return world.settings.play_s if rate else 0.0
    if prompt.text:
        calls.hear(world, call, "Say", prompt.text)
    if prompt.attributes.get("playBeep") == "true":
        calls.hear(world, call, "Say", "[beep]")
    return len(prompt.text) / rate if rate else 0.0


def ask_aloud(world: World, call: Call, action: Action) -> float:
    """Let the person hear what a question begins with; return the seconds that it takes."""
    seconds = sum(let_hear(world, call, prompt) for prompt in action.prompt)
    call.say_until = world.now() + seconds if seconds else None
    return seconds
