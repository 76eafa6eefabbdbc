"""The recording of a follow-up and its bare transaction, in turns in one process; prints the median seconds of both."""

import json

import django

_RECORD = (
    """INSERT INTO reporting_providerguardrailstatus (provider_id, is_paused, last_action, updated_at)
    VALUES ('bare', true, 'pause', now())
    ON CONFLICT (provider_id) DO UPDATE SET is_paused = true, updated_at = excluded.updated_at""",
    """INSERT INTO provider_guardrail_followup (follow_up_id, provider_id, action, notes, created_at)
    VALUES (gen_random_uuid(), 'bare', 'pause', 'Notes.', now())""",
)
_PATH = "/api/v1/reporting/guardrails/followups"
_BODY = json.dumps({"providerId": "through-django", "action": "pause", "notes": "Notes."}).encode()


def main() -> None:
    django.setup()
    import psycopg
    from django.conf import settings

    from bench.lists import medians
    from smplat import embedded
    from smplat.front.wsgi import Threads
    from smplat.wsgi import application

    threads = Threads(application, 1)
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "X-API-Key": settings.CHECKOUT_API_KEYS[0]}
    scope = {
        "method": "POST",
        "raw_path": _PATH.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    with psycopg.connect(embedded.url(settings.VAR_DIR), autocommit=True) as session:

        def bare() -> None:
            with session.transaction():
                for statement in _RECORD:
                    session.execute(statement)

        def post() -> None:
            answer = threads.answer(scope, _BODY)
            assert answer.status == 201, answer.content

        print(*medians(bare, post, repeats=500))


if __name__ == "__main__":
    main()
