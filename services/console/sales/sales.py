"""Questions about what was sold, each bounded and measured."""

from __future__ import annotations

import time

from services.console.metrics import ConsoleMetrics
from services.console.sales import model
from services.console.sales.model import Asked
from services.console.sales.saved import SavedQuery
from services.kernel.core.errors import MissingResource, Retryable
from services.kernel.core.questions import Answer, Question, QuestionEngine, QuestionRefused, TooMuch, TooSlow

MAX_ROWS = 10_000
"""Of any answer."""
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TooSlow, "too_slow"),
    (TooMuch, "too_much"),
    (QuestionRefused, "refused"),
    (MissingResource, "missing"),
    (Retryable, "unavailable"),
)


class Sales:
    """Asks an engine.

    Args:
        timeout_s: seconds of one question.
        metrics: None for a command, of which nobody asks any.

    Every method raises what `QuestionEngine.ask` does.
    """

    def __init__(
        self, engine: QuestionEngine, timeout_s: float, metrics: ConsoleMetrics | None = None
    ) -> None:
        self._engine = engine
        self._timeout_s = timeout_s
        self._metrics = metrics

    async def by(self, asked: Asked) -> Answer:
        """Measures by dimensions."""
        answer = await self._ask("sales", model.question(asked), asked.limit)
        return model.finished(asked, answer)

    async def saved(self, query: SavedQuery, given: dict[str, str], max_rows: int = MAX_ROWS) -> Answer:
        """A saved query with these parameters.

        Raises:
            InvalidParameter: one of them is not what the query takes.
        """
        return await self._ask(query.name, query.asked(given), max_rows)

    async def sql(self, question: Question, max_rows: int = MAX_ROWS) -> Answer:
        """A checked statement of somebody's own."""
        return await self._ask("sql", question, max_rows)

    async def _ask(self, what: str, question: Question, max_rows: int) -> Answer:
        started = time.perf_counter()
        try:
            answer = await self._engine.ask(question, max_rows=max_rows, timeout_s=self._timeout_s)
        except Exception as error:
            self._failed(what, error)
            raise
        finally:
            if self._metrics is not None:
                self._metrics.question_s.labels(what=what).observe(time.perf_counter() - started)
        if self._metrics is not None:
            self._metrics.question_rows.labels(what=what).inc(len(answer.rows))
        return answer

    def _failed(self, what: str, error: Exception) -> None:
        if self._metrics is None:
            return
        reason = next((name for kind, name in _REASONS if isinstance(error, kind)), "other")
        self._metrics.failed_questions.labels(what=what, reason=reason).inc()
