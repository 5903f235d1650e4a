package ingress

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// metrics of the API.
type metrics struct {
	requests *prometheus.CounterVec
	batched  *prometheus.CounterVec
	created  prometheus.Counter // of batched, the frequent one
}

// counts are one route's series. They exist from the start, so that counting looks nothing up.
type counts struct {
	seconds     prometheus.Observer
	ok, created prometheus.Counter // the frequent statuses
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
	m.created = m.batched.WithLabelValues(strconv.Itoa(fasthttp.StatusCreated))
	for i := range routes {
		r := &routes[i]
		r.counts = counts{
			seconds: seconds.WithLabelValues(r.name),
			ok:      m.requests.WithLabelValues(r.name, strconv.Itoa(fasthttp.StatusOK)),
			created: m.requests.WithLabelValues(r.name, strconv.Itoa(fasthttp.StatusCreated)),
		}
	}
}

// label is the route's name in metrics and logs.
func (r *route) label() string {
	if r == nil {
		return "unmatched"
	}
	return r.name
}

// count counts a request; a nil route is that of requests that have none.
func (m *metrics) count(r *route, status int, took time.Duration) {
	if r != nil {
		r.counts.seconds.Observe(took.Seconds())
		switch status {
		case fasthttp.StatusOK:
			r.counts.ok.Inc()
			return
		case fasthttp.StatusCreated:
			r.counts.created.Inc()
			return
		}
	}
	m.requests.WithLabelValues(r.label(), strconv.Itoa(status)).Inc()
}

// countUnreadable counts a request that could not be read.
func (m *metrics) countUnreadable(status int) {
	m.requests.WithLabelValues("unreadable", strconv.Itoa(status)).Inc()
}

// countMade counts n operations of a batch of the frequent status.
func (m *metrics) countMade(n int) { m.created.Add(float64(n)) }

// countBatched counts one operation of a batch, of another status.
func (m *metrics) countBatched(status int) {
	m.batched.WithLabelValues(strconv.Itoa(status)).Inc()
}

func (m *metrics) serve(registry *prometheus.Registry) func(*fasthttp.RequestCtx, []string) {
	handler := fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return func(ctx *fasthttp.RequestCtx, _ []string) { handler(ctx) }
}
