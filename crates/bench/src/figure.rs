//! Figures: medians of several rounds, printed as JSON lines and as a table.

use std::io::Write;

/// One figure of one scenario.
pub(crate) struct Figure {
    /// The scenario.
    pub(crate) scenario: &'static str,
    /// What was measured.
    pub(crate) figure: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What was measured in each round.
    pub(crate) values: Vec<f64>,
    /// The baseline of each round, if there is one.
    pub(crate) baselines: Vec<f64>,
    /// What must be reached: a bound on the ratio if there is a baseline, else on the value.
    pub(crate) must: Option<Must>,
}

/// A bound to be kept.
#[derive(Clone, Copy)]
pub(crate) enum Must {
    /// Not below.
    AtLeast(f64),
    /// Not above.
    AtMost(f64),
    /// The ratio not below the first, or the value not below the second.
    RatioOrValue(f64, f64),
}

impl Figure {
    /// A figure without a baseline.
    pub(crate) fn of(
        scenario: &'static str,
        figure: impl Into<String>,
        unit: &'static str,
        values: Vec<f64>,
    ) -> Self {
        Self {
            scenario,
            figure: figure.into(),
            unit,
            values,
            baselines: Vec::new(),
            must: None,
        }
    }

    /// With the baseline of each round.
    pub(crate) fn against(self, baselines: Vec<f64>) -> Self {
        Self { baselines, ..self }
    }

    /// With what must be reached.
    pub(crate) fn must(self, must: Option<Must>) -> Self {
        Self { must, ..self }
    }

    /// The median of each round's value over its baseline.
    fn ratio(&self) -> Option<f64> {
        let ratios = self
            .values
            .iter()
            .zip(&self.baselines)
            .map(|(value, baseline)| value / baseline);
        median(&ratios.collect::<Vec<f64>>())
    }

    fn verdict(&self) -> String {
        let value = median(&self.values).unwrap_or(f64::NAN);
        let measured = self.ratio().unwrap_or(value);
        match self.must {
            None => String::new(),
            Some(Must::RatioOrValue(ratio, bound)) => {
                let verdict = if measured >= ratio || value >= bound {
                    "met"
                } else {
                    "SHORT"
                };
                format!("≥ {ratio} or {}: {verdict}", rounded(bound))
            }
            Some(Must::AtLeast(bound)) if measured >= bound => format!("≥ {bound}: met"),
            Some(Must::AtLeast(bound)) => format!("≥ {bound}: SHORT"),
            Some(Must::AtMost(bound)) if measured <= bound => format!("≤ {bound}: met"),
            Some(Must::AtMost(bound)) => format!("≤ {bound}: OVER"),
        }
    }

    fn json(&self) -> String {
        let optional =
            |number: Option<f64>| number.map_or_else(|| "null".to_owned(), |number| format!("{number:.3}"));
        format!(
            r#"{{"scenario":"{}","figure":"{}","unit":"{}","value":{},"baseline":{},"ratio":{},"rounds":{},"min":{},"max":{}}}"#,
            self.scenario,
            self.figure,
            self.unit,
            optional(median(&self.values)),
            optional(median(&self.baselines)),
            optional(self.ratio()),
            self.values.len(),
            optional(self.values.iter().copied().reduce(f64::min)),
            optional(self.values.iter().copied().reduce(f64::max)),
        )
    }
}

/// The figures of a run.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Prints a figure's line and keeps it for the table.
    pub(crate) fn add(&mut self, figure: Figure) {
        print(&figure.json());
        self.0.push(figure);
    }

    /// Prints all figures as a Markdown table.
    pub(crate) fn print_table(&self) {
        print(
            "\n| scenario | figure | median | min – max | baseline | ratio | must |\n|---|---|---:|---:|---:|---:|---|",
        );
        for figure in &self.0 {
            let shown = |number: Option<f64>| number.map_or_else(String::new, rounded);
            print(&format!(
                "| {} | {} | {} {} | {} – {} | {} | {} | {} |",
                figure.scenario,
                figure.figure,
                shown(median(&figure.values)),
                figure.unit,
                shown(figure.values.iter().copied().reduce(f64::min)),
                shown(figure.values.iter().copied().reduce(f64::max)),
                shown(median(&figure.baselines)),
                figure
                    .ratio()
                    .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                figure.verdict(),
            ));
        }
    }
}

/// Prints a line to standard output.
pub(crate) fn print(line: &str) {
    // Whoever reads the figures went away: then nobody wants them.
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// The median; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted.get(middle).copied()
    } else {
        Some(f64::midpoint(
            *sorted.get(middle.checked_sub(1)?)?,
            *sorted.get(middle)?,
        ))
    }
}

fn rounded(number: f64) -> String {
    if number.abs() >= 100.0 {
        let digits = format!("{number:.0}");
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    } else {
        format!("{number:.2}")
    }
}
