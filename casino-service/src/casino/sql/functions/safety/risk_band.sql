-- Purpose: the band of a risk score.
create or replace function casino.risk_band(p_score integer)
returns text
language sql immutable parallel safe
begin atomic
    select case when p_score >= 80 then 'STOP' when p_score >= 55 then 'TILT_RISK' when p_score >= 30 then 'ELEVATED' else 'CALM' end;
end;
