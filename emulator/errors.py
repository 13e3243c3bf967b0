"""What a caller of the emulator did wrong, as the answer it gets."""


class Refused(Exception):
    """A request that cannot be done. status: of the answer; its text says what would be right."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class NotFound(Refused):
    """Something that does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 404)
