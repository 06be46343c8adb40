-- Purpose: truncate the nonce partition that is used next, while every nonce in it is older than five minutes and no
-- request can be stored in it yet. Outcome: the number of the truncated partition, or null when it is too early or empty.
-- Partition k (of 360 s) takes nonces from 120 s before its start until 720 s after it (casino.claim_nonces). So it is
-- truncated from 720 s after its start until 120 s before it is used again at 1080 s.
create or replace function casino.empty_old_nonce_drawer()
returns smallint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms' -- claims would wait behind a waiting truncate, so it gives up and is tried again in a minute
as $$
declare
    v_seconds constant bigint := extract(epoch from casino.clock())::bigint;
    v_drawer constant smallint := (v_seconds / 360 + 1) % 3;
begin
    if v_seconds % 360 >= 240 then
        return null;
    end if;
    perform 1 from casino.nonces where drawer = v_drawer limit 1;
    if not found then
        return null;
    end if;
    case v_drawer
        when 0 then truncate casino.nonces_0;
        when 1 then truncate casino.nonces_1;
        else truncate casino.nonces_2;
    end case;
    return v_drawer;
end;
$$;
