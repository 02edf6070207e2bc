//! Who sends what together: the shares of the lanes and the batches of a share. Both depend on the plan and the pace alone, so
//! that the same replay makes the same requests, whatever became of the ones before.

use super::limits::BATCH_STEPS;
use super::olist::{Plan, PlannedStep};
use super::pace::Pace;

/// The steps of each of so many lanes, in the order of the plan: a shipment's steps are all in one.
pub(super) fn shares(plan: &Plan, lanes: usize) -> Vec<Vec<&PlannedStep>> {
    let mut shares = vec![Vec::new(); lanes];
    for step in &plan.steps {
        if let Some(share) = step
            .shipment
            .checked_rem(lanes)
            .and_then(|lane| shares.get_mut(lane))
        {
            share.push(step);
        }
    }
    shares
}

/// The batches of a share, in order: at most [`BATCH_STEPS`] steps each, and all of them due in one tick.
pub(super) fn batches<'s, 'a>(
    share: &'s [&'a PlannedStep],
    pace: &Pace,
) -> impl Iterator<Item = &'s [&'a PlannedStep]> {
    share
        .chunk_by(|one, next| pace.tick(one.at) == pace.tick(next.at))
        .flat_map(|due_together| due_together.chunks(BATCH_STEPS))
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::super::olist::PlannedKind;
    use super::super::pace::Speed;
    use super::*;

    fn plan_of(steps: impl IntoIterator<Item = (i64, usize)>) -> Plan {
        let step = |(second, shipment)| PlannedStep {
            at: Timestamp::from_seconds(second).unwrap(),
            shipment,
            kind: PlannedKind::Create,
        };
        Plan {
            steps: steps.into_iter().map(step).collect(),
            ..Plan::default()
        }
    }

    fn shipments(steps: &[&PlannedStep]) -> Vec<usize> {
        steps.iter().map(|step| step.shipment).collect()
    }

    fn pace(speed: Speed) -> Pace {
        Pace::new(speed, Timestamp::from_seconds(0).unwrap())
    }

    #[test]
    fn a_shipments_steps_are_all_in_one_lane_and_in_order() {
        let plan = plan_of([(0, 0), (1, 1), (2, 5), (3, 4), (4, 0), (5, 2), (6, 5)]);
        let shares = shares(&plan, 4);
        let shares: Vec<_> = shares.iter().map(|share| shipments(share)).collect();
        assert_eq!(shares, [vec![0, 4, 0], vec![1, 5, 5], vec![2], vec![]]);
    }

    #[test]
    fn batches_at_full_speed_are_cut_by_their_size_alone() {
        let plan = plan_of((0..2_500).map(|second| (second, 0)));
        let share = &shares(&plan, 1)[0];
        let sizes: Vec<_> = batches(share, &pace(Speed::Max)).map(<[_]>::len).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }

    #[test]
    fn batches_that_keep_time_hold_what_is_due_in_one_tick() {
        // 40 seconds of the plan are a tenth of a second.
        let plan = plan_of([(0, 1), (39, 2), (40, 3), (41, 4), (79, 5), (400, 6)]);
        let share = &shares(&plan, 1)[0];
        let cut: Vec<_> = batches(share, &pace(Speed::Times(400.0)))
            .map(shipments)
            .collect();
        assert_eq!(cut, [vec![1, 2], vec![3, 4, 5], vec![6]]);
        let many = plan_of((0..1_200).map(|_| (0, 0)));
        let share = &shares(&many, 1)[0];
        let sizes: Vec<_> = batches(share, &pace(Speed::Times(400.0)))
            .map(<[_]>::len)
            .collect();
        assert_eq!(sizes, [1_000, 200]);
    }

    #[test]
    fn a_limit_changes_no_batch_before_the_last_one_with_a_creation() {
        // Each shipment is made at its second and scanned 500 seconds later.
        let made = |count: usize| (0..count).map(|shipment| (i64::try_from(shipment).unwrap(), shipment));
        let scanned = |count| made(count).map(|(second, shipment)| (second + 500, shipment));
        let plan = |count| {
            let mut steps: Vec<_> = made(count).chain(scanned(count)).collect();
            steps.sort_unstable();
            plan_of(steps)
        };
        let (whole, limited) = (plan(5_000), plan(4_000));
        let cut = |plan: &Plan| -> Vec<Vec<(usize, Timestamp)>> {
            let share = shares(plan, 1).remove(0);
            batches(&share, &pace(Speed::Max))
                .map(|batch| batch.iter().map(|step| (step.shipment, step.at)).collect())
                .collect()
        };
        // 500 creations, then pairs: the 4,000th creation is step 7,500.
        assert_eq!(cut(&whole)[..7], cut(&limited)[..7]);
        assert_ne!(cut(&whole)[7], cut(&limited)[7]);
    }
}
