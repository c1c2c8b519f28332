//! Spans and log lines to a collector, by OTLP (feature `otel`).
//!
//! Configured as OpenTelemetry has it, by the environment, and by nothing else: without an endpoint there nothing is sent.
//! Spans and lines have a queue and a thread of their own each; who logs never waits for a collector. What finds no room is
//! dropped, and the last line on stderr says how much. At the end what waits is sent, if that takes no longer than [`LAST`].
//!
//! A span ends before it is sent, so there is none for what lasts for weeks: a recording, a run, a try to connect, a request to
//! a venue, an alert. What happens in between are lines.

/// Where OpenTelemetry looks for a collector, the particular before the general.
const ENDPOINTS: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"];

/// The first variable that names a collector, unless everything is off (`OTEL_SDK_DISABLED`).
pub(super) fn asked_for() -> Option<&'static str> {
    let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|off| off.eq_ignore_ascii_case("true"));
    let names_one = |name: &&str| std::env::var(name).is_ok_and(|url| !url.trim().is_empty());
    ENDPOINTS.into_iter().find(|name| !is_off && names_one(name))
}

#[cfg(feature = "otel")]
pub(super) use sending::Telemetry;

#[cfg(feature = "otel")]
mod sending {
    use std::time::Duration;

    use opentelemetry::KeyValue;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
    use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::logs::SdkLoggerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Metadata;
    use tracing_subscriber::{Layer, filter};

    use super::super::log::Boxed;
    use super::asked_for;

    /// What waits at the end is sent within this, or not at all.
    const LAST: Duration = Duration::from_secs(2);

    /// Sends until it is dropped.
    #[derive(Debug)]
    pub(in crate::cli) struct Telemetry {
        traces: SdkTracerProvider,
        logs: SdkLoggerProvider,
    }

    impl Telemetry {
        /// To the collector that the environment names, if it names one. Errors if its address is none.
        pub fn open() -> Option<Result<Self, String>> {
            let variable = asked_for()?;
            Some(Self::to_a_collector().map_err(|why| format!("{variable}: {why}")))
        }

        fn to_a_collector() -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
            let spans = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
            let lines = LogExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
            let mut about = Resource::builder().with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("papermaker.paper", true),
            ]);
            if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
                about = about.with_service_name("papermaker");
            }
            let about = about.build();
            Ok(Self {
                traces: SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(about.clone()).build(),
                logs: SdkLoggerProvider::builder().with_batch_exporter(lines).with_resource(about).build(),
            })
        }

        /// What hands over to it: our own spans and lines, never those of the library that sends them.
        pub fn layers(&self) -> [Boxed; 2] {
            let is_ours = |about: &Metadata<'_>| about.target().starts_with("papermaker");
            let spans = filter::filter_fn(move |about| about.is_span() && is_ours(about));
            let lines = filter::filter_fn(move |about| about.is_event() && is_ours(about));
            let tracer = self.traces.tracer("papermaker");
            [
                tracing_opentelemetry::layer().with_tracer(tracer).with_filter(spans).boxed(),
                OpenTelemetryTracingBridge::new(&self.logs).with_filter(lines).boxed(),
            ]
        }
    }

    impl Drop for Telemetry {
        fn drop(&mut self) {
            for (what, ended) in
                [("spans", self.traces.shutdown_with_timeout(LAST)), ("lines", self.logs.shutdown_with_timeout(LAST))]
            {
                if let Err(why) = ended {
                    tracing::warn!(target: "telemetry", "the last {what} did not reach the collector: {why}");
                }
            }
        }
    }
}
