"""The recording of a follow-up and its bare transaction, in turns in one process; prints the median seconds of both."""

import django

_RECORD = (
    """INSERT INTO reporting_providerguardrailstatus (provider_id, is_paused, last_action, updated_at)
    VALUES ('bare', true, 'pause', now())
    ON CONFLICT (provider_id) DO UPDATE SET is_paused = true, updated_at = excluded.updated_at""",
    """INSERT INTO provider_guardrail_followup (follow_up_id, provider_id, action, notes, created_at)
    VALUES (gen_random_uuid(), 'bare', 'pause', 'Notes.', now())""",
)


def main() -> None:
    django.setup()
    import psycopg
    from django.conf import settings
    from django.test import Client

    from bench.lists import medians
    from smplat import embedded

    client = Client(headers={"X-API-Key": settings.CHECKOUT_API_KEYS[0], "Host": "127.0.0.1"})
    body = {"providerId": "through-django", "action": "pause", "notes": "Notes."}
    with psycopg.connect(embedded.url(settings.VAR_DIR), autocommit=True) as session:

        def bare() -> None:
            with session.transaction():
                for statement in _RECORD:
                    session.execute(statement)

        def post() -> None:
            answer = client.post("/api/v1/reporting/guardrails/followups", body, content_type="application/json")
            assert answer.status_code == 201, answer.content

        print(*medians(bare, post, repeats=500))


if __name__ == "__main__":
    main()
