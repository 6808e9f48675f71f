//! Samples, their medians and spread, the table and the JSON.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything measured so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Samples in milliseconds, or another unit that the name says, in order of first use.
    series: Vec<(String, Vec<f64>)>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

/// Something to reach.
#[derive(Debug)]
struct Goal {
    what: String,
    is: f64,
    at_most: f64,
    unit: &'static str,
}

impl Report {
    /// Adds a duration to a series.
    pub(crate) fn add(&mut self, name: &str, took: Duration) {
        self.add_number(name, took.as_secs_f64() * 1e3);
    }

    /// Adds a number to a series.
    pub(crate) fn add_number(&mut self, name: &str, number: f64) {
        match self.series.iter_mut().find(|(known, _)| known == name) {
            Some((_, samples)) => samples.push(number),
            None => self.series.push((name.to_owned(), vec![number])),
        }
    }

    /// The median of a series; none if it has no samples.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        self.series.iter().find(|(known, _)| known == name).map(|(_, samples)| median(samples))
    }

    /// Compares with what is to be reached.
    pub(crate) fn goal(&mut self, what: &str, is: Option<f64>, at_most: Option<f64>, unit: &'static str) {
        if let (Some(is), Some(at_most)) = (is, at_most) {
            self.goals.push(Goal { what: what.to_owned(), is, at_most, unit });
        }
    }

    /// Something a reader should know.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The tables.
    pub(crate) fn print(&self) {
        println!("| measured | median | min – max | n |");
        println!("| --- | ---: | ---: | ---: |");
        for (name, samples) in &self.series {
            let (min, max) = bounds(samples);
            println!("| {name} | {:.2} | {min:.2} – {max:.2} | {} |", median(samples), samples.len());
        }
        println!("\n| to reach | is | at most | |");
        println!("| --- | ---: | ---: | --- |");
        for Goal { what, is, at_most, unit } in &self.goals {
            let verdict = if is <= at_most { "reached" } else { "missed" };
            println!("| {what} | {is:.2} {unit} | {at_most:.2} {unit} | {verdict} |");
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }

    /// All samples and goals.
    pub(crate) fn json(&self) -> String {
        let series: BTreeMap<&str, Value> = self
            .series
            .iter()
            .map(|(name, samples)| {
                let (min, max) = bounds(samples);
                let value = json!({ "median": median(samples), "min": min, "max": max, "samples": samples });
                (name.as_str(), value)
            })
            .collect();
        let goals: Vec<Value> = self
            .goals
            .iter()
            .map(|goal| {
                json!({ "what": goal.what, "is": goal.is, "at_most": goal.at_most, "unit": goal.unit,
                        "reached": goal.is <= goal.at_most })
            })
            .collect();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        format!("{:#}\n", json!({ "cores": cores, "series": series, "goals": goals, "notes": self.notes }))
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

fn bounds(samples: &[f64]) -> (f64, f64) {
    samples.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(*x), max.max(*x)))
}
