package ingress

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// metrics of the API. The series of every route exist from the start, so counting looks nothing up.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  map[string]prometheus.Observer
	fast     map[string]prometheus.Counter // status 201 and 200 by route
	batched  *prometheus.CounterVec
}

func (m *metrics) init(registry *prometheus.Registry, routes []route) {
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "suanpan_http_requests_total", Help: "Requests answered.",
	}, []string{"route", "status"})
	m.batched = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "suanpan_batch_operations_total", Help: "Operations carried out in batches.",
	}, []string{"status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "suanpan_http_request_seconds", Help: "Time from the request read to the reply ready.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	}, []string{"route"})
	registry.MustRegister(m.requests, m.batched, seconds)
	m.seconds = make(map[string]prometheus.Observer)
	m.fast = make(map[string]prometheus.Counter)
	for i := range routes {
		name := routes[i].name
		m.seconds[name] = seconds.WithLabelValues(name)
		for _, status := range []int{fasthttp.StatusOK, fasthttp.StatusCreated} {
			m.fast[name+strconv.Itoa(status)] = m.requests.WithLabelValues(name, strconv.Itoa(status))
		}
	}
}

func (m *metrics) count(route string, status int, took time.Duration) {
	if seconds := m.seconds[route]; seconds != nil {
		seconds.Observe(took.Seconds())
	}
	code := strconv.Itoa(status)
	if c := m.fast[route+code]; c != nil {
		c.Inc()
		return
	}
	m.requests.WithLabelValues(route, code).Inc()
}

func (m *metrics) serve(registry *prometheus.Registry) func(*fasthttp.RequestCtx, []string) {
	handler := fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return func(ctx *fasthttp.RequestCtx, _ []string) { handler(ctx) }
}
