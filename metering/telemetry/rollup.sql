-- From raw telemetry to quarter-hour usage: what the agent's registers grew by, to the unit. One expression for DuckDB and
-- Spark SQL, so: no division but of what divides exactly, NULLS LAST said, IGNORE NULLS and FILTER in windows avoided.
--
-- observation: meter, segment, row, at_ms, source_us, signal, number | word | flag, news, role, carry
--              (role 0 an observation, 1 what was in force before the segment's first row; see parquet.py)
-- stretch:     stretch, meter, first_segment, last_segment, from_ms, life_end_ms, until_ms, and the policy silence_ms,
--              turning_above_mrpm, cutting_feed_max_um_s: segments that follow one another under one policy
-- boundary:    stretch, at_ms: from_ms, every quarter hour between, until_ms
--
-- Result: stretch, quarter_ms (its start), code, cell (null but for the load spectrum), value (above zero).
with
-- What the registers take, in the order of the fold. A value holds until the signal's next one; none (unavailable) ends it.
taken as (
    select
        s.stretch, o.row, o.at_ms, o.role, o.carry, o.signal, o.number,
        split_part(o.signal, '.', 1) as name,
        split_part(o.signal, '.', 2) as part,
        case when o.number is null and o.word is null and o.flag is null then 0 else 1 end as valued,
        -- until when this is a sign of life: source time and the silence that is allowed
        case
            when o.role = 1 or (o.number is null and o.word is null and o.flag is null) then null
            else cast((o.source_us - ((o.source_us % 1000) + 1000) % 1000) / 1000 as bigint) + s.silence_ms
        end as life_ms,
        case when o.signal = 'power' and o.flag then 1 else 0 end as power,
        case when o.signal = 'mode' and o.word = 'automatic' then 1 else 0 end as automatic,
        case when o.signal = 'execution' and o.word = 'active' then 1 else 0 end as active,
        case when o.signal = 'feed' and o.number > 0 and o.number <= s.cutting_feed_max_um_s then 1 else 0 end as feeding,
        -- speed and load without sign; -1: not known
        case when o.signal like 'spindle.%.speed' then coalesce(abs(o.number), -1) end as speed,
        case when o.signal like 'spindle.%' and o.signal not like 'spindle.%.speed' then coalesce(abs(o.number), -1) end as load,
        case when o.signal like 'spindle.%.speed' and abs(o.number) > s.turning_above_mrpm then 1 else 0 end as turning
    from observation o
    join stretch s on o.meter = s.meter and o.segment between s.first_segment and s.last_segment
    where o.news
      and (o.role = 0 or o.segment = s.first_segment)
      and (
          o.signal in ('power', 'mode', 'execution', 'feed', 'energy', 'parts')
          or o.signal like 'spindle._%' or o.signal like 'axis._%' or o.signal like 'counter._%'
      )
),
-- How each changes what its own signal said before.
changed as (
    select
        t.*,
        coalesce(lag(valued) over own, 0) as was_valued,
        coalesce(lag(power) over own, 0) as was_power,
        coalesce(lag(automatic) over own, 0) as was_automatic,
        coalesce(lag(active) over own, 0) as was_active,
        coalesce(lag(feeding) over own, 0) as was_feeding,
        coalesce(lag(turning) over own, 0) as was_turning,
        coalesce(lag(speed) over own, -1) as was_speed,
        coalesce(lag(load) over own, -1) as was_load
    from taken t
    window own as (partition by stretch, signal order by row nulls last)
),
steps as (
    select
        stretch, row, at_ms, role, carry, name, part, signal, number, life_ms,
        valued - was_valued as d_known,
        power - was_power as d_power,
        automatic - was_automatic as d_automatic,
        active - was_active as d_active,
        feeding - was_feeding as d_feeding,
        turning - was_turning as d_turning,
        speed - was_speed as d_speed,
        load - was_load as d_load,
        case when role = 0 and turning > was_turning and was_valued = 1 then 1 else 0 end as started
    from changed
    union all
    select
        b.stretch, cast(-1 as bigint), b.at_ms, 2, cast(null as bigint), '', '', '', cast(null as bigint),
        case when b.at_ms = s.from_ms then s.life_end_ms end,
        0, 0, 0, 0, 0, 0, cast(null as bigint), cast(null as bigint), 0
    from boundary b join stretch s on b.stretch = s.stretch
),
-- The machine's state from each step to the next.
states as (
    select
        stretch, row, at_ms, role, carry, name, part, signal, number, d_speed, d_load, started,
        sum(d_known) over so_far as known,
        sum(d_power) over so_far as powered,
        sum(d_automatic) over so_far as automatic,
        sum(d_active) over so_far as active,
        sum(d_feeding) over so_far as feeding,
        sum(d_turning) over so_far as turning,
        max(life_ms) over so_far as alive_until,
        lead(at_ms) over (partition by stretch order by at_ms nulls last, row nulls last) as next_ms
    from steps
    window so_far as (
        partition by stretch order by at_ms nulls last, row nulls last rows between unbounded preceding and current row
    )
),
-- How long of that the source was proven alive: nothing else counts.
lived as (
    select
        *,
        at_ms - at_ms % 900000 as quarter_ms,
        coalesce(next_ms - at_ms, 0) as length,
        case when known > 0 then greatest(least(coalesce(next_ms, at_ms), coalesce(alive_until, at_ms)) - at_ms, 0) else 0 end
            as awake
    from states
),
of_machine as (
    select
        stretch, quarter_ms,
        sum(length - awake) as unknown_ms,
        sum(case when powered > 0 then awake else 0 end) as power_on,
        sum(case when active > 0 then awake else 0 end) as program_run,
        sum(case when active > 0 and automatic > 0 then awake else 0 end) as auto_run,
        sum(case when active > 0 and turning > 0 and feeding > 0 then awake else 0 end) as cutting,
        sum(case when turning > 0 then awake else 0 end) as spindle_on,
        sum(started) as starts
    from lived
    group by stretch, quarter_ms
),
-- Signals with a part (a spindle, an axis): time alive since the stretch began, so that a difference tells a duration.
parts as (
    select
        stretch, row, at_ms, role, quarter_ms, carry, name, part, signal, number, d_speed, d_load,
        coalesce(
            sum(awake) over (
                partition by stretch order by at_ms nulls last, row nulls last
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as lived_ms,
        case when awake > 0 or (known > 0 and alive_until >= at_ms) then 1 else 0 end as alive
    from lived
),
spindle as (
    select distinct stretch, part from taken where name = 'spindle'
),
spindle_steps as (
    select stretch, part, at_ms, row, quarter_ms, lived_ms, d_speed, d_load
    from parts
    where name = 'spindle'
    union all
    select p.stretch, s.part, p.at_ms, p.row, p.quarter_ms, p.lived_ms, 0, 0
    from parts p join spindle s on p.stretch = s.stretch
    where p.role = 2
),
spindle_states as (
    select
        stretch, part, quarter_ms,
        sum(d_speed) over so_far - 1 as speed,
        sum(d_load) over so_far - 1 as load,
        coalesce(
            lead(lived_ms) over (partition by stretch, part order by at_ms nulls last, row nulls last) - lived_ms, 0
        ) as awake
    from spindle_steps
    window so_far as (
        partition by stretch, part order by at_ms nulls last, row nulls last
        rows between unbounded preceding and current row
    )
),
-- The cell of a speed and a load: metering.spectrum.cell_key.
of_cell as (
    select
        v.stretch, v.part, v.quarter_ms,
        case
            when load >= 0
                then least(cast((speed + 125000 - (speed + 125000) % 250000) / 250000 as bigint), 400) * 256
                    + least(cast((load + 25 - (load + 25) % 50) / 50 as bigint), 255)
        end as cell,
        sum(awake) as on_ms,
        -- 1/1000 per minute x ms: 60 000 of them are 1/1000 revolution
        sum(speed * awake) as turned
    from spindle_states v join stretch s on v.stretch = s.stretch
    where speed >= 0 and speed > s.turning_above_mrpm and awake > 0
    group by 1, 2, 3, 4
),
of_spindle as (
    select stretch, part, quarter_ms, sum(on_ms) as on_ms, sum(turned) as turned from of_cell group by 1, 2, 3
),
rests as (
    select stretch, part, cast(sum(carry) as bigint) as rest
    from parts
    where role = 1 and name = 'spindle' and signal like 'spindle.%.speed'
    group by 1, 2
),
-- Whole units up to each quarter hour's end less those up to its start; the rest is carried, never rounded away.
turned as (
    select
        o.stretch, o.part, o.quarter_ms,
        cast((o.turned - o.turned % 60000) / 60000 as bigint) as whole,
        o.turned % 60000 as below,
        coalesce(r.rest, 0) + sum(o.turned % 60000) over (
            partition by o.stretch, o.part order by o.quarter_ms nulls last rows between unbounded preceding and current row
        ) as summed
    from of_spindle o left join rests r on o.stretch = r.stretch and o.part = r.part
),
revolutions as (
    select
        stretch, part, quarter_ms,
        whole + cast((summed - summed % 60000) / 60000 as bigint)
        - cast((summed - below - (summed - below) % 60000) / 60000 as bigint) as value
    from turned
),
-- Moves count between two positions of an axis with the source alive all the time between.
positions as (
    select
        stretch, part, role, quarter_ms, at_ms, number, lived_ms,
        lag(number) over own as from_number,
        lag(at_ms) over own as from_at,
        lag(lived_ms) over own as from_lived,
        lag(case when role = 1 then case when carry is null then 0 else 1 end else alive end) over own as from_alive
    from parts
    where name = 'axis'
    window own as (partition by stretch, signal order by row nulls last)
),
travel as (
    select stretch, part, quarter_ms, sum(abs(number - from_number)) as value
    from positions
    where role = 0 and from_alive = 1 and lived_ms - from_lived = at_ms - from_at
    group by 1, 2, 3
),
-- Counters that only grow: a step back is a reset, adds nothing and is the new base; what was unavailable lies between.
totals as (
    select
        stretch, signal, role, quarter_ms,
        number - lag(number) over (partition by stretch, signal order by row nulls last) as grown
    from (
        select stretch, signal, role, quarter_ms, row, case when role = 1 then carry else number end as number
        from parts
        where name = 'counter' or signal in ('energy', 'parts')
    ) known
    where number is not null
),
growth as (
    select stretch, signal, quarter_ms, sum(greatest(grown, 0)) as value
    from totals
    where role = 0
    group by 1, 2, 3
),
usage as (
    select stretch, quarter_ms, 'unknown' as code, cast(null as bigint) as cell, unknown_ms as value from of_machine
    union all select stretch, quarter_ms, 'power_on', null, power_on from of_machine
    union all select stretch, quarter_ms, 'program_run', null, program_run from of_machine
    union all select stretch, quarter_ms, 'auto_run', null, auto_run from of_machine
    union all select stretch, quarter_ms, 'cutting', null, cutting from of_machine
    union all select stretch, quarter_ms, 'spindle_on', null, spindle_on from of_machine
    union all select stretch, quarter_ms, 'starts', null, starts from of_machine
    union all select stretch, quarter_ms, concat('spindle_on.', part), null, on_ms from of_spindle
    union all select stretch, quarter_ms, concat('revolutions.', part), null, value from revolutions
    union all select stretch, quarter_ms, concat('travel.', part), null, value from travel
    union all select stretch, quarter_ms, signal, null, value from growth
    union all select stretch, quarter_ms, concat('spectrum.', part), cell, on_ms from of_cell where cell is not null
)
select stretch, quarter_ms, code, cell, cast(value as bigint) as value
from usage
where value > 0
order by stretch nulls last, quarter_ms nulls last, code nulls last, cell nulls last
