//! The machine that the figures were measured on.

use serde::Serialize;

use mynah_sim::report::cpu_features;

/// The machine, as far as it tells.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// What the processor calls itself; absent where that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Cores that may be used.
    pub cores: usize,
    /// What decides which path the kernels take.
    pub cpu_features: Vec<&'static str>,
    /// Runnable tasks over the last minute, before anything was measured: what is not the measurement's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_average: Option<f64>,
}

impl Machine {
    /// Reads the machine's properties now.
    pub fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_features: cpu_features(),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok()),
        }
    }

    /// The machine in one line.
    pub fn line(&self) -> String {
        let features =
            if self.cpu_features.is_empty() { "none".into() } else { self.cpu_features.join(", ") };
        let load = self.load_average.map_or("unknown".into(), |load| format!("{load:.2}"));
        let cpu = self.cpu.as_deref().unwrap_or("unknown processor");
        let plural = if self.cores == 1 { "" } else { "s" };
        format!("{cpu}, {} core{plural}, {features}; load average before: {load}", self.cores)
    }
}
