//! How many answers a server works on, by what it tells of itself.

use hyper::Uri;
use serde_json::Value;

use crate::endpoint::{Endpoint, Outgoing};
use crate::errand::Errand;

/// The figure of vLLM.
const RUNNING: &str = "vllm:num_requests_running";

/// Where a server tells it.
#[derive(Clone, Debug)]
pub(super) enum BusyPage {
    /// llama.cpp: `/slots`.
    Slots(Uri),
    /// vLLM: `/metrics`.
    Metrics(Uri),
}

impl BusyPage {
    /// The page of a server that has one.
    pub(super) async fn of(endpoint: &Endpoint) -> Option<Self> {
        for (path, page) in [("/slots", Self::Slots as fn(Uri) -> Self), ("/metrics", Self::Metrics)] {
            let page = page(endpoint.url.at_root(path).ok()?);
            if page.busy(endpoint).await.is_some() {
                return Some(page);
            }
        }
        None
    }

    pub(super) fn path(&self) -> &str {
        match self {
            Self::Slots(uri) | Self::Metrics(uri) => uri.path(),
        }
    }

    /// Answers that the server works on now.
    pub(super) async fn busy(&self, endpoint: &Endpoint) -> Option<u64> {
        let (Self::Slots(uri) | Self::Metrics(uri)) = self;
        let errand = Errand::alone(endpoint.times(None));
        let mut answer = endpoint.ask(&errand, &Outgoing::get(uri.clone())).await.ok()?;
        let whole = answer.whole(&errand).await.ok()?;
        match self {
            Self::Slots(_) => in_slots(&whole),
            Self::Metrics(_) => in_metrics(&String::from_utf8_lossy(&whole)),
        }
    }
}

fn in_slots(json: &[u8]) -> Option<u64> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let slots = value.as_array()?;
    let busy: Option<Vec<bool>> = slots.iter().map(|slot| slot.get("is_processing")?.as_bool()).collect();
    Some(busy?.into_iter().filter(|busy| *busy).count() as u64)
}

fn in_metrics(page: &str) -> Option<u64> {
    let figures = page.lines().filter(|line| line.starts_with(RUNNING));
    let figures: Vec<f64> =
        figures.filter_map(|line| line.rsplit_once(char::is_whitespace)?.1.parse().ok()).collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_both_kinds_are_read() {
        let slots = br#"[{"id":0,"is_processing":true,"next_token":[]},{"id":1,"is_processing":false}]"#;
        assert_eq!(in_slots(slots), Some(1));
        assert_eq!(in_slots(br#"{"error":{"code":501,"message":"off"}}"#), None);
        let metrics = "# HELP vllm:num_requests_running Number\nvllm:num_requests_running{engine=\"0\"} 2.0\n\
                       vllm:num_requests_waiting{engine=\"0\"} 7.0\nvllm:num_requests_running{engine=\"1\"} 1.0\n";
        assert_eq!(in_metrics(metrics), Some(3));
        assert_eq!(in_metrics("llamacpp:requests_processing 1"), None);
    }
}
