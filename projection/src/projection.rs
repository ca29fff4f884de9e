//! Curves of all systems on one host, and what they say.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::costs::Costs;
use crate::crossing::Crossing;
use crate::curve::Curve;
use crate::operations::Operations;
use crate::setup::{Setup, SetupError, System};

/// Projection of a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// Flag that nothing here was measured on that host: always true.
    pub projected: bool,
    /// Host and load, with the most guests.
    pub setup: Setup,
    /// Seed of the simulation.
    pub seed: u64,
    /// Curves of [`System::CURVES`].
    pub curves: Vec<Curve>,
    /// Crossings of [`System::PAIRS`]: where persistent grants win.
    pub crossings: Vec<Crossing>,
}

impl Projection {
    /// Projects a host with each number of guests; that of the setup does not count. Systems that
    /// `measured` has take its operations, others the protocol's.
    ///
    /// # Errors
    /// A setup that is out of bounds.
    pub fn new(
        costs: &Costs,
        setup: &Setup,
        guests: RangeInclusive<u32>,
        measured: &[(System, Operations)],
        seed: u64,
    ) -> Result<Self, SetupError> {
        let setup = Setup { guests: *guests.end(), ..*setup };
        setup.check()?;
        let mut curves = Vec::new();
        for system in System::CURVES {
            let counted = measured.iter().find(|(of, _)| *of == system);
            let operations = counted.map_or(Operations::of(system), |(_, operations)| *operations);
            curves.push(Curve::project(costs, &setup, guests.clone(), system, operations, seed)?);
        }
        let curve = |system| curves.iter().find(|curve| curve.system == system);
        let crossings = System::PAIRS
            .iter()
            .filter_map(|(winner, loser)| Crossing::of(curve(*winner)?, curve(*loser)?));
        let crossings = crossings.collect();
        Ok(Self { projected: true, setup, seed, crossings, curves })
    }
}
