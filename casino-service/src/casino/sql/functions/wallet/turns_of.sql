-- Purpose: put the commands of a batch into turns, of which each has at most one command of a wallet. A turn is judged when the
--   one before it is booked, so commands of one wallet answer as if each had come in a batch of its own.
-- Input: for each command in order the wallet that is held for it, or null; the places, from 0, of those that are not judged.
-- Outcome: turn 1, 2, …, each a JSON array of commands in their order. `place` is a command's place in the batch.
create or replace function casino.turns_of(p_commands jsonb, p_wallet_ids bigint[], p_left_out integer[])
returns jsonb[]
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with command as (
        select
            command.place - 1 as place, command.fields,
            case
                when wallet_id is null then 1
                else row_number() over (partition by wallet_id order by command.place)
            end as turn
        from rows from (jsonb_array_elements(p_commands), unnest(p_wallet_ids)) with ordinality
            as command (fields, wallet_id, place)
        where command.place - 1 <> all (p_left_out)
    ),
    taken as (
        select turn, jsonb_agg(fields || jsonb_build_object('place', place) order by place) as commands
        from command
        group by turn
    )
    select coalesce(array_agg(commands order by turn), '{}') from taken;
$$;
