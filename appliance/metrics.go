package main

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// figures is a set of numbers read when somebody asks for them.
type figures struct {
	prefix string
	read   func() map[string]float64
}

// Describe sends nothing: the set is described by what Collect sends.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	for name, value := range f.read() {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(name, "_total") {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(f.prefix+name, "Count since the start of the appliance, or a present number.", nil, nil)
		ch <- prometheus.MustNewConstMetric(desc, kind, value)
	}
}

// metricsHandler serves the process's and the given figures to Prometheus.
func metricsHandler(sets ...figures) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, s := range sets {
		r.MustRegister(s)
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
