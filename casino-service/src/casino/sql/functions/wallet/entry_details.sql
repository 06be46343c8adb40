-- Purpose: the last member of what casino.entry_hash_2 hashes: everything about an entry that is evidence, not money.
-- Outcome: a JSON object, its bytes as Python's json.dumps(..., ensure_ascii=False) writes them, members in this order:
--   recordedAt  UTC with six digits of a second, as in 2026-01-31T23:59:59.000001Z;
--   requestId;
--   signedBy    left out when it is null: a deposit comes by no request;
--   provider    the peer whose session it is, left out for main: before revision 0013 there was no other.
--   Null for a time that has no such form (before the year 1, after 9999, infinity): no such entry was ever hashed.
-- A later member goes to the end and is left out when it is null: entries from before it keep their bytes, and so the hash.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.entry_details(
    p_recorded_at timestamptz, p_request_id text, p_signed_by text, p_provider_id text
)
returns json
language sql stable parallel safe
begin atomic
    select (
        '{"recordedAt": "'
        || case
            when p_recorded_at >= timestamptz '0001-01-01 00:00:00+00'
                and p_recorded_at < timestamptz '10000-01-01 00:00:00+00'
            then to_char(timezone('UTC', p_recorded_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        end
        || '", "requestId": ' || to_json(p_request_id)::text
        || coalesce(', "signedBy": ' || to_json(p_signed_by)::text, '')
        || coalesce(', "provider": ' || to_json(nullif(p_provider_id, 'main'))::text, '')
        || '}'
    )::json;
end;
