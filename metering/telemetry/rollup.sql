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
--
-- Counts of signals in a state ride in one number, ten bits each, so that one running sum carries them all:
-- known (1), power (1024), automatic (1024^2), active (1024^3), cutting feed (1024^4), turning spindles (1024^5).
-- What nothing is charged for rides in another: exempt (1), executing (1024), processing (1024^2), warm-up (1024^3), dry
-- run (1024^4), maintenance (1024^5).
-- The count of field f is above zero when the number % 1024^(f+1) >= 1024^f.
with
-- Signals as numbers, with what they mean.
named as (
    select
        signal,
        row_number() over (order by signal nulls last) as id,
        dense_rank() over (order by split_part(signal, '.', 2) nulls last) as part_id,
        split_part(signal, '.', 2) as part,
        case
            when signal = 'power' then 1
            when signal = 'mode' then 2
            when signal = 'execution' then 3
            when signal = 'feed' then 4
            when signal like 'spindle._%.speed' then 5
            when signal like 'spindle._%.load' then 6
            when signal like 'spindle._%.rotating' then 7
            when signal like 'spindle._%.as_axis' then 8
            when signal like 'axis._%.position' then 9
            when signal in ('energy', 'parts') or signal like 'counter._%' then 10
            when signal in ('warm_up', 'dry_run', 'item_state', 'operation_mode') then 11
            when signal = 'tool' or signal = 'serial' or signal like 'serial._%' then 12  -- signs of life
            when signal like 'unknown._%' then 13  -- not of the machine: what the fold said of a register
            when signal like 'adjusted._%' then 14  -- and of a counter's step
        end as kind
    from (select distinct signal from observation) signals
),
-- What the registers take, in the order of the fold. A value holds until the signal's next one; none (unavailable) ends it.
taken as (
    select
        s.stretch, n.id, n.kind, n.part_id, o.row, o.at_ms, o.role, o.carry, o.number,
        -- until when it is a sign of life: source time and the silence that is allowed
        case
            when o.role = 1 or (o.number is null and o.word is null and o.flag is null) then null
            else cast((o.source_us - ((o.source_us % 1000) + 1000) % 1000) / 1000 as bigint) + s.silence_ms
        end as life_ms,
        cast(
            case
                when o.number is null and o.word is null and o.flag is null then 0
                when n.kind = 1 and o.flag then 1025
                when n.kind = 2 and o.word = 'automatic' then 1048577
                when n.kind = 3 and o.word = 'active' then 1073741825
                when n.kind = 4 and o.number > 0 and o.number <= s.cutting_feed_max_um_s then 1099511627777
                else 1
            end as bigint
        ) as own,
        -- speed and load without sign, -1 not known; flags as 1 and 0; an axis' position; what is not charged, as above
        case
            when n.kind = 9 then o.number
            when n.kind in (5, 6) then coalesce(abs(o.number), -1)
            when n.kind = 7 then case when o.flag then 1 when not o.flag then 0 else -1 end
            when n.kind in (8, 13) then case when o.flag then 1 else 0 end
            when n.kind = 11 then
                case
                    when o.flag and n.signal = 'warm_up' then 1073741825
                    when o.flag then 1099511627777
                    when o.word = 'executing' and n.signal = 'item_state' then 1024
                    when o.word = 'processing' and n.signal = 'operation_mode' then 1048576
                    when o.word = 'maintenance' and n.signal = 'operation_mode' then 1125899906842625
                    else 0
                end
        end as held,
        s.turning_above_mrpm
    from observation o
    join named n on o.signal = n.signal
    join stretch s on o.meter = s.meter and o.segment between s.first_segment and s.last_segment
    where n.kind is not null and (o.news or n.kind >= 13) and (o.role = 0 or o.segment = s.first_segment)
),
-- Beside it what the same signal said before.
changed as (
    select
        stretch, id, kind, part_id, row, at_ms, role, life_ms, own, held, turning_above_mrpm,
        coalesce(lag(own) over before, 0) as was,
        lag(held) over before as was_held,
        lag(life_ms) over before as was_life_ms,
        lag(row) over before as was_row
    from taken
    where kind < 13
    window before as (partition by stretch, id order by row nulls last)
),
-- What a spindle does from each change of its signals to the next: its speed decides, or whether it is said to rotate.
spindle_values as (
    select
        stretch, part_id, row, at_ms, role, life_ms, own - was as delta, turning_above_mrpm,
        case when kind = 5 then held - coalesce(was_held, -1) else 0 end as d_speed,
        case when kind = 6 then held - coalesce(was_held, -1) else 0 end as d_load,
        case when kind = 7 then held - coalesce(was_held, -1) else 0 end as d_rotating,
        case when kind = 8 then held - coalesce(was_held, 0) else 0 end as d_as_axis,
        sum(case when kind = 5 then held - coalesce(was_held, -1) else 0 end) over so_far - 1 as speed,
        sum(case when kind = 7 then held - coalesce(was_held, -1) else 0 end) over so_far - 1 as rotating,
        sum(case when kind = 8 then held - coalesce(was_held, 0) else 0 end) over so_far as as_axis
    from changed
    where kind between 5 and 8
    window so_far as (
        partition by stretch, part_id order by row nulls last rows between unbounded preceding and current row
    )
),
-- Its speed where it turns, -2 where it turns with a speed that is not known, -1 where it does not turn.
of_spindles as (
    select
        stretch, part_id, row, at_ms, role, life_ms, delta, d_load,
        case when speed - d_speed >= 0 or rotating - d_rotating >= 0 then 1 else 0 end as was_known,
        cast(
            case
                when as_axis > 0 then -1
                when speed > turning_above_mrpm then speed
                when speed < 0 and rotating = 1 then -2
                else -1
            end as bigint
        ) as turns,
        cast(
            case
                when as_axis - d_as_axis > 0 then -1
                when speed - d_speed > turning_above_mrpm then speed - d_speed
                when speed - d_speed < 0 and rotating - d_rotating = 1 then -2
                else -1
            end as bigint
        ) as turned
    from spindle_values
),
steps as (
    select
        stretch, row, at_ms, 0 as is_boundary, life_ms, own - was as delta,
        case when kind = 11 then held - coalesce(was_held, 0) else 0 end as d_manner, 0 as started
    from changed
    where kind not between 5 and 8
    union all
    select
        stretch, row, at_ms, 0, life_ms,
        delta
        + cast(1125899906842624 as bigint)
        * (case when turns <> -1 then 1 else 0 end - case when turned <> -1 then 1 else 0 end),
        0,
        case when role = 0 and turns <> -1 and turned = -1 and was_known = 1 then 1 else 0 end
    from of_spindles
    union all
    select b.stretch, -1, b.at_ms, 1, case when b.at_ms = s.from_ms then s.life_end_ms end, 0, 0, 0
    from boundary b join stretch s on b.stretch = s.stretch
),
-- The machine's state from each step to the next.
states as (
    select
        stretch, row, at_ms, is_boundary, started,
        cast(sum(delta) over so_far as bigint) as state,
        cast(sum(d_manner) over so_far as bigint) as manner,
        max(life_ms) over so_far as alive_until,
        lead(at_ms) over (partition by stretch order by at_ms nulls last, row nulls last) as next_ms
    from steps
    window so_far as (
        partition by stretch order by at_ms nulls last, row nulls last rows between unbounded preceding and current row
    )
),
-- How long of that the source was proven alive: some value known, a sign of life not too old. Nothing else counts.
lived as (
    select
        stretch, row, at_ms, is_boundary, started, state, manner, next_ms, alive_until,
        at_ms - at_ms % 900000 as quarter_ms,
        coalesce(next_ms - at_ms, 0) as length,
        case
            when state % 1024 > 0 and alive_until > at_ms then least(coalesce(next_ms, at_ms), alive_until) - at_ms
            else 0
        end as awake
    from states
),
-- What runs is counted twice: in all, and (`charged`) outside of what nothing is charged for.
running as (
    select
        stretch, quarter_ms, length, awake, started, manner,
        case when manner % 1024 = 0 then awake else 0 end as charged,
        state % 1048576 >= 1024 as powered,
        state % 1073741824 >= 1048576 as automatic,
        state % 1099511627776 >= 1073741824 as active,
        state % 1125899906842624 >= 1099511627776 as feeding,
        state >= 1125899906842624 as turning,
        manner % 1048576 >= 1024 and manner % 1073741824 >= 1048576 as executing
    from lived
),
of_machine as (
    select
        stretch, quarter_ms,
        sum(length - awake) as unknown_ms,
        sum(case when powered then awake else 0 end) as power_on,
        sum(case when powered then charged else 0 end) as billable_power_on,
        sum(case when active then awake else 0 end) as program_run,
        sum(case when active then charged else 0 end) as billable_program_run,
        sum(case when active and automatic then awake else 0 end) as auto_run,
        sum(case when active and automatic then charged else 0 end) as billable_auto_run,
        sum(case when active and turning and feeding then awake else 0 end) as cutting,
        sum(case when active and turning and feeding then charged else 0 end) as billable_cutting,
        sum(case when turning then awake else 0 end) as spindle_on,
        sum(case when turning then charged else 0 end) as billable_spindle_on,
        sum(case when executing then awake else 0 end) as item_executing,
        sum(case when executing then charged else 0 end) as billable_item_executing,
        sum(case when manner % 1099511627776 >= 1073741824 then awake else 0 end) as warm_up,
        sum(case when manner % 1125899906842624 >= 1099511627776 then awake else 0 end) as dry_run,
        sum(case when manner >= 1125899906842624 then awake else 0 end) as maintenance,
        sum(started) as starts
    from running
    group by stretch, quarter_ms
),
sleeps as (
    select stretch, at_ms + awake as start_ms, next_ms as end_ms from lived where length > awake
),
-- What cuts a spindle's time into pieces: quarter hours, and where the proof of life ends and comes back.
cuts as (
    select stretch, at_ms, cast(-1 as bigint) as row, 0 as d_asleep from boundary
    union all
    select
        stretch,
        case when e.d_asleep = 1 then start_ms else end_ms end,
        case when e.d_asleep = 1 then cast(4611686018427387904 as bigint) else cast(-1 as bigint) end,
        e.d_asleep
    from sleeps cross join (select 1 as d_asleep union all select -1) e
),
spindle_steps as (
    select stretch, part_id, at_ms, row, turns - turned as d_turns, d_load, 0 as d_asleep, 0 as d_exempt
    from of_spindles
    union all
    select c.stretch, p.part_id, c.at_ms, c.row, 0, 0, c.d_asleep, c.d_exempt
    from (
        select stretch, at_ms, row, d_asleep, 0 as d_exempt from cuts
        union all
        select stretch, at_ms, row, 0, held % 1024 - coalesce(was_held, 0) % 1024 from changed where kind = 11
    ) c
    cross join (select distinct part_id from named where kind between 5 and 8) p
),
spindle_states as (
    select
        stretch, part_id, at_ms,
        cast(sum(d_turns) over so_far as bigint) - 1 as speed,
        cast(sum(d_load) over so_far as bigint) - 1 as load,
        sum(d_asleep) over so_far as asleep,
        sum(d_exempt) over so_far as exempt,
        lead(at_ms) over (partition by stretch, part_id order by at_ms nulls last, row nulls last) - at_ms as length
    from spindle_steps
    window so_far as (
        partition by stretch, part_id order by at_ms nulls last, row nulls last
        rows between unbounded preceding and current row
    )
),
-- The cell of a speed and a load: metering.spectrum.cell_key. 1/1000 per minute x ms: 60 000 of them are 1/1000 revolution.
of_cell as (
    select
        v.stretch, v.part_id, v.at_ms - v.at_ms % 900000 as quarter_ms,
        case
            when v.load >= 0 and v.speed >= 0
                then least(cast((v.speed + 125000 - (v.speed + 125000) % 250000) / 250000 as bigint), 400) * 256
                    + least(cast((v.load + 25 - (v.load + 25) % 50) / 50 as bigint), 255)
        end as cell,
        sum(v.length) as on_ms,
        sum(case when v.exempt = 0 then v.length else 0 end) as charged_ms,
        sum(greatest(v.speed, 0) * v.length) as turned
    from spindle_states v
    where v.speed <> -1 and v.asleep = 0 and v.length > 0
    group by 1, 2, 3, 4
),
-- Beside each cell what the spindle did in the whole quarter hour; the first of its cells (place 1) stands for it.
of_spindle as (
    select
        stretch, part_id, quarter_ms, cell, on_ms as cell_ms,
        row_number() over (partition by stretch, part_id, quarter_ms order by cell nulls last) as place,
        sum(on_ms) over quarter as on_ms,
        sum(charged_ms) over quarter as charged_ms,
        cast(sum(turned) over quarter as bigint) as turned
    from of_cell
    window quarter as (partition by stretch, part_id, quarter_ms)
),
rests as (
    select stretch, part_id, cast(sum(carry) as bigint) as rest from taken where role = 1 and kind = 5 group by 1, 2
),
-- Whole units up to each quarter hour's end less those up to its start; the rest is carried, never rounded away.
turned as (
    select
        o.stretch, o.part_id, o.quarter_ms, o.cell, o.cell_ms, o.place, o.on_ms, o.charged_ms,
        cast((o.turned - o.turned % 60000) / 60000 as bigint) as whole,
        o.turned % 60000 as below,
        cast(
            coalesce(r.rest, 0) + sum(case when o.place = 1 then o.turned % 60000 else 0 end) over (
                partition by o.stretch, o.part_id order by o.quarter_ms nulls last, o.place nulls last
                rows between unbounded preceding and current row
            ) as bigint
        ) as summed
    from of_spindle o left join rests r on o.stretch = r.stretch and o.part_id = r.part_id
),
revolutions as (
    select
        stretch, part_id, quarter_ms, cell, cell_ms, place, on_ms, charged_ms,
        whole + cast((summed - summed % 60000) / 60000 as bigint)
        - cast((summed - below - (summed - below) % 60000) / 60000 as bigint) as value
    from turned
),
-- Moves count between two positions of an axis with the source alive all the time between: surely so while the first of
-- them is sign of life enough; else the states between are looked at.
moves as (
    select
        stretch, id, at_ms, was_row, at_ms - at_ms % 900000 as quarter_ms, abs(held - was_held) as value,
        case when was_life_ms >= at_ms then 1 else 0 end as is_sure
    from changed
    where kind = 9 and role = 0 and held is not null and was_held is not null
),
doubtful as (
    select m.stretch, m.id, m.at_ms, m.quarter_ms, m.value, l.at_ms as was_at
    from moves m
    join lived l on l.stretch = m.stretch and l.row = m.was_row and l.is_boundary = 0
    left join taken t on t.stretch = m.stretch and t.id = m.id and t.row = m.was_row and t.role = 1
    where m.is_sure = 0
      and (t.carry is not null or (t.role is null and l.state % 1024 > 0 and l.alive_until >= l.at_ms))
),
travel as (
    select stretch, id, quarter_ms, value from moves where is_sure = 1
    union all
    select d.stretch, d.id, d.quarter_ms, d.value
    from doubtful d
    where not exists (
        select 1 from sleeps s where s.stretch = d.stretch and s.start_ms >= d.was_at and s.end_ms <= d.at_ms
    )
),
-- Counters that only grow: a step back adds nothing; what was unavailable lies between. Where a counter's policy made of a
-- step something else than its growth, the fold said how much more, or less, it counted.
totals as (
    select
        stretch, id, role, at_ms - at_ms % 900000 as quarter_ms,
        number - lag(number) over (partition by stretch, id order by row nulls last) as grown
    from (
        select stretch, id, role, at_ms, row, case when role = 1 then carry else number end as number
        from taken
        where kind = 10
    ) known
    where number is not null
),
counted as (
    select t.stretch, t.quarter_ms, n.signal, t.grown
    from totals t join named n on t.id = n.id
    where t.role = 0 and t.grown > 0
    union all
    select t.stretch, t.at_ms - t.at_ms % 900000, substring(n.signal, 10), t.number
    from taken t join named n on t.id = n.id
    where t.kind = 14
),
-- Registers that lost values leave short while the source lives, in the fold's own words: from when on, until when.
said as (
    select stretch, id, row, at_ms, held, lag(held) over (partition by stretch, id order by row nulls last) as was_held
    from taken
    where kind = 13
),
short_steps as (
    select stretch, id, at_ms, row, held - coalesce(was_held, 0) as d_short, 0 as d_asleep from said
    union all
    select c.stretch, p.id, c.at_ms, c.row, 0, c.d_asleep
    from cuts c join (select distinct stretch, id from said) p on c.stretch = p.stretch
),
short_states as (
    select
        stretch, id, at_ms,
        sum(d_short) over so_far as short,
        sum(d_asleep) over so_far as asleep,
        lead(at_ms) over (partition by stretch, id order by at_ms nulls last, row nulls last) - at_ms as length
    from short_steps
    window so_far as (
        partition by stretch, id order by at_ms nulls last, row nulls last
        rows between unbounded preceding and current row
    )
),
parts as (
    select distinct part_id, part from named
),
-- Spark's engines work out a named query anew at each place that names it: so what costs most is named once here, and told
-- apart by codes.
machine_codes as (
    select code from (values
        ('unknown'), ('power_on'), ('billable_power_on'), ('program_run'), ('billable_program_run'),
        ('auto_run'), ('billable_auto_run'), ('cutting'), ('billable_cutting'), ('spindle_on'),
        ('billable_spindle_on'), ('item_executing'), ('billable_item_executing'), ('warm_up'), ('dry_run'),
        ('maintenance'), ('starts')
    ) as listed (code)
),
spindle_codes as (
    select code from (values ('spindle_on'), ('billable_spindle_on'), ('revolutions'), ('spectrum')) as listed (code)
),
usage as (
    select
        stretch, quarter_ms, c.code, cast(null as bigint) as cell,
        case c.code
            when 'unknown' then unknown_ms
            when 'power_on' then power_on
            when 'billable_power_on' then billable_power_on
            when 'program_run' then program_run
            when 'billable_program_run' then billable_program_run
            when 'auto_run' then auto_run
            when 'billable_auto_run' then billable_auto_run
            when 'cutting' then cutting
            when 'billable_cutting' then billable_cutting
            when 'spindle_on' then spindle_on
            when 'billable_spindle_on' then billable_spindle_on
            when 'item_executing' then item_executing
            when 'billable_item_executing' then billable_item_executing
            when 'warm_up' then warm_up
            when 'dry_run' then dry_run
            when 'maintenance' then maintenance
            when 'starts' then starts
        end as value
    from of_machine cross join machine_codes c
    union all
    select
        stretch, quarter_ms, concat(c.code, '.', p.part), case when c.code = 'spectrum' then cell end,
        case
            when c.code = 'spectrum' then case when cell is not null then cell_ms end
            when place > 1 then null
            when c.code = 'spindle_on' then on_ms
            when c.code = 'billable_spindle_on' then charged_ms
            else o.value
        end
    from revolutions o join parts p on o.part_id = p.part_id cross join spindle_codes c
    union all select t.stretch, t.quarter_ms, concat('travel.', n.part), null, sum(t.value)
    from travel t join named n on t.id = n.id group by t.stretch, t.quarter_ms, n.part
    union all select stretch, quarter_ms, signal, null, sum(grown) from counted group by stretch, quarter_ms, signal
    union all select u.stretch, u.at_ms - u.at_ms % 900000, n.signal, null, sum(u.length)
    from short_states u join named n on u.id = n.id
    where u.short > 0 and u.asleep = 0 and u.length > 0 group by u.stretch, u.at_ms - u.at_ms % 900000, n.signal
)
select stretch, quarter_ms, code, cell, cast(value as bigint) as value
from usage
where value > 0
order by stretch nulls last, quarter_ms nulls last, code nulls last, cell nulls last
