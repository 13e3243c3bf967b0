"""Recordings: silence of the right length, which any player plays."""

import io
import wave

RATE = 8000
# Longer ones are cut, to stay small.
MOST_S = 120.0


def silence(seconds: float) -> bytes:
    """Return a WAV file of so many seconds, one channel of 8 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(RATE)
        sound.writeframes(b"\x80" * round(RATE * min(seconds, MOST_S)))
    return file.getvalue()
