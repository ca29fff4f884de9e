//! Random numbers by seed.

/// Source of numbers from some distributions.
pub struct Draws(fastrand::Rng);

impl Draws {
    pub fn seeded(seed: u64) -> Self {
        println!("seed {seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Uniform from 0 to 1.
    pub fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.0.f64()).ln()
    }

    /// Poisson, by counting.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        let (mut count, mut time) = (0.0, self.exponential());
        while time < mean {
            count += 1.0;
            time += self.exponential();
        }
        count
    }

    /// A rate of about 1000 in one run.
    pub fn rate(&mut self, noise: Noise) -> f64 {
        let off = match noise {
            Noise::Normal => 0.05 * self.normal(),
            Noise::Skewed => -0.07 * self.exponential(),
            Noise::Outliers => self.normal() * if self.uniform() < 0.3 { 0.15 } else { 0.03 },
        };
        1000.0 * off.exp()
    }

    /// Rates in windows: 1000 times `level` of the share of time that has passed, with noise that
    /// depends on that before it, AR(1).
    pub fn windows(&mut self, of: &Windows, level: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut noise = self.normal();
        let fresh = (1.0 - of.phi * of.phi).sqrt();
        let one = |index| {
            let value = level(index as f64 / of.count as f64) + of.spread * noise;
            noise = of.phi * noise + fresh * self.normal();
            1000.0 * value.max(0.0)
        };
        (0..of.count).map(one).collect()
    }
}

/// Kind of difference between runs.
#[derive(Clone, Copy, Debug)]
pub enum Noise {
    /// 5 %.
    Normal,
    /// Exponential: some runs are much slower, none much faster.
    Skewed,
    /// 30 % of the runs have five times the spread of the others.
    Outliers,
}

/// Windows of a run.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub count: usize,
    /// Standard deviation, relative.
    pub spread: f64,
    /// Correlation of neighbours.
    pub phi: f64,
}
