package network

import (
	"strings"
	"testing"
)

const triangle = `{"hubs": {"A": "Aachen", "B": "Bonn", "C": "Celle", "D": "Dresden"}, "links": [
	{"from": "A", "to": "B", "km": 10, "hours": 9},
	{"from": "B", "to": "C", "km": 10, "hours": 9},
	{"from": "A", "to": "C", "km": 50, "hours": 3, "hours_back": 7}]}`

func read(t *testing.T, text string) *Network {
	t.Helper()
	n, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestShortest(t *testing.T) {
	n := read(t, triangle)
	for _, c := range []struct {
		from, to  string
		measure   Measure
		km, hours int
	}{
		{"A", "C", ByKm, 20, 18},
		{"A", "C", ByHours, 50, 3},
		{"C", "A", ByHours, 50, 7},
		{"B", "B", ByKm, 0, 0},
	} {
		route, err := n.Shortest(c.from, c.to, c.measure)
		if err != nil || route.Km() != c.km || route.Hours() != c.hours {
			t.Errorf("%s to %s: %v, %v", c.from, c.to, route, err)
		}
	}
}

func TestShortestRefuses(t *testing.T) {
	n := read(t, triangle)
	for _, to := range []string{"D", "X"} {
		if route, err := n.Shortest("A", to, ByKm); err == nil {
			t.Errorf("A to %s: %v", to, route)
		}
	}
	if _, err := Read(strings.NewReader(`{"links": [{"from": "A", "to": "B"}]}`)); err == nil {
		t.Error("a link between hubs that do not exist was accepted")
	}
}
