-- What somebody who knows this machine, its signals and DuckDB would write for it: signals, policy and parts are constants,
-- no segment opens in the middle, no counter is there, all time is charged. The same result as metering/telemetry/rollup.sql on such data.
with
taken as (
    select
        meter, row, at_ms, signal::enum(
            'power', 'mode', 'execution', 'feed', 'spindle.S1.speed', 'spindle.S1.load', 'spindle.S2.speed',
            'spindle.S2.load', 'axis.X.position', 'axis.Y.position', 'axis.Z.position'
        ) as signal,
        case when number is not null or word is not null or flag is not null then source_us // 1000 + 30000 end as life_ms,
        (case
            when number is null and word is null and flag is null then 0
            when flag then 1025
            when word = 'automatic' then 1048577
            when word = 'active' then 1073741825
            when signal = 'feed' and number between 1 and 20000 then 1099511627777
            when signal in ('spindle.S1.speed', 'spindle.S2.speed') and number <> 0 then 1125899906842625
            else 1
        end)::bigint as own,
        case when signal like 'axis%' then number when signal like 'spindle%' then coalesce(abs(number), -1) end as held
    from observation
    where news
),
changed as (
    select
        meter, row, at_ms, signal, life_ms, own, held,
        coalesce(lag(own) over before, 0) as was,
        lag(held) over before as was_held,
        lag(life_ms) over before as was_life_ms,
        lag(at_ms) over before as was_at
    from taken
    window before as (partition by meter, signal order by row)
),
steps as (
    select meter, row, at_ms, life_ms, own - was as delta,
           (own >= 1125899906842624 and was > 0 and was < 1125899906842624)::int as started
    from changed
    union all
    select s.meter, -1, b.at_ms, null, 0, 0 from boundary b join stretch s using (stretch)
),
states as (
    select
        meter, at_ms, started,
        (sum(delta) over so_far)::bigint as state,
        max(life_ms) over so_far as alive_until,
        lead(at_ms) over (partition by meter order by at_ms, row) as next_ms
    from steps
    window so_far as (partition by meter order by at_ms, row rows between unbounded preceding and current row)
),
lived as (
    select
        *, at_ms // 900000 * 900000 as quarter_ms, coalesce(next_ms - at_ms, 0) as length,
        if(state % 1024 > 0 and alive_until > at_ms, least(coalesce(next_ms, at_ms), alive_until) - at_ms, 0) as awake,
        state // 1024 % 1024 > 0 as powered, state // 1048576 % 1024 > 0 as automatic,
        state // 1073741824 % 1024 > 0 as active, state // 1099511627776 % 1024 > 0 as feeding,
        state >= 1125899906842624 as turning
    from states
),
of_machine as (
    select
        meter, quarter_ms,
        sum(length - awake) as unknown,
        sum(awake) filter (powered) as power_on,
        sum(awake) filter (active) as program_run,
        sum(awake) filter (active and automatic) as auto_run,
        sum(awake) filter (active and turning and feeding) as cutting,
        sum(awake) filter (turning) as spindle_on,
        sum(started)::hugeint as starts
    from lived
    group by all
),
sleeps as (select meter, at_ms + awake as start_ms, next_ms as end_ms from lived where length > awake),
cuts as (
    select s.meter, b.at_ms, -1 as row, 0 as d_asleep from boundary b join stretch s using (stretch)
    union all select meter, start_ms, 4611686018427387904, 1 from sleeps
    union all select meter, end_ms, -1, -1 from sleeps
),
spindle_steps as (
    select
        meter, signal in ('spindle.S1.speed', 'spindle.S1.load') as is_first, at_ms, row,
        if(signal in ('spindle.S1.speed', 'spindle.S2.speed'), held - coalesce(was_held, -1), 0) as d_speed,
        if(signal in ('spindle.S1.load', 'spindle.S2.load'), held - coalesce(was_held, -1), 0) as d_load,
        0 as d_asleep
    from changed
    where signal in ('spindle.S1.speed', 'spindle.S1.load', 'spindle.S2.speed', 'spindle.S2.load')
    union all
    select meter, is_first, at_ms, row, 0, 0, d_asleep from cuts, (values (true), (false)) as parts(is_first)
),
spindle_states as (
    select
        meter, is_first, at_ms,
        (sum(d_speed) over so_far)::bigint - 1 as speed,
        (sum(d_load) over so_far)::bigint - 1 as load,
        sum(d_asleep) over so_far as asleep,
        lead(at_ms) over (partition by meter, is_first order by at_ms, row) - at_ms as length
    from spindle_steps
    window so_far as (
        partition by meter, is_first order by at_ms, row rows between unbounded preceding and current row
    )
),
of_cell as (
    select
        meter, if(is_first, 'S1', 'S2') as part, at_ms // 900000 * 900000 as quarter_ms,
        if(load >= 0, least((speed + 125000) // 250000, 400) * 256 + least((load + 25) // 50, 255), null) as cell,
        sum(length) as on_ms, sum(speed * length) as turned
    from spindle_states
    where speed > 0 and asleep = 0 and length > 0
    group by all
),
of_spindle as (
    select
        meter, part, quarter_ms, sum(on_ms) as on_ms,
        sum(sum(turned)) over (partition by meter, part order by quarter_ms) as so_far, sum(turned) as turned
    from of_cell
    group by meter, part, quarter_ms
),
moves as (
    select meter, signal, at_ms, was_at, abs(held - was_held) as value, was_life_ms >= at_ms as is_sure
    from changed
    where signal in ('axis.X.position', 'axis.Y.position', 'axis.Z.position') and was_held is not null and held is not null
),
travel as (
    select meter, signal, at_ms // 900000 * 900000 as quarter_ms, sum(value) as value
    from moves m
    where is_sure or not exists (
        from sleeps s where s.meter = m.meter and s.start_ms >= m.was_at and s.end_ms <= m.at_ms
    )
    group by all
),
usage as (
    select meter, quarter_ms, code, null::bigint as cell, value
    from of_machine unpivot (value for code in (unknown, power_on, program_run, auto_run, cutting, spindle_on, starts))
    union all select meter, quarter_ms, 'billable_' || code, null, value
    from of_machine unpivot (value for code in (power_on, program_run, auto_run, cutting, spindle_on))
    union all select meter, quarter_ms, 'spindle_on.' || part, null, on_ms from of_spindle
    union all select meter, quarter_ms, 'billable_spindle_on.' || part, null, on_ms from of_spindle
    union all select meter, quarter_ms, 'revolutions.' || part, null, so_far // 60000 - (so_far - turned) // 60000
    from of_spindle
    union all select meter, quarter_ms, 'spectrum.' || part, cell, on_ms from of_cell where cell is not null
    union all select meter, quarter_ms, 'travel.' || signal[6], null, value from travel
)
select s.stretch, quarter_ms, code, cell, value::bigint as value
from usage join stretch s using (meter)
where value > 0
order by stretch, quarter_ms, code, cell
