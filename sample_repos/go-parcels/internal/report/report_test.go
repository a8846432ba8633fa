package report

import (
	"strings"
	"testing"
	"time"

	"example.org/parcels/internal/network"
	"example.org/parcels/internal/parcel"
)

func at(hour int) time.Time { return time.Date(2024, 3, 5, hour, 0, 0, 0, time.UTC) }

func writer(t *testing.T) Writer {
	t.Helper()
	n, err := network.Read(strings.NewReader(
		`{"hubs": {"A": "Aachen", "B": "Bonn"}, "links": [{"from": "A", "to": "B", "km": 9, "hours": 5}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return Writer{n}
}

func TestAsOfForecastsFromTheLastScan(t *testing.T) {
	p := &parcel.Parcel{Number: "PX1", Destination: "B"}
	p.Timeline.Add(parcel.Event{At: at(8), Kind: parcel.Accepted, Hub: "A"})
	got, err := writer(t).AsOf(p, at(9))
	if err != nil || len(got.Known) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	if want := (parcel.Event{At: at(19), Kind: parcel.Expected, Hub: "B"}); got.Known[1] != want {
		t.Errorf("the forecast is %v", got.Known[1])
	}
}

func TestAsOfForecastsNothingForAFinishedJourney(t *testing.T) {
	p := &parcel.Parcel{Number: "PX1", Destination: "B"}
	p.Timeline.Add(parcel.Event{At: at(8), Kind: parcel.Delivered, Hub: "B"})
	got, err := writer(t).AsOf(p, at(9))
	if err != nil || len(got.Known) != 1 || len(got.Since) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
