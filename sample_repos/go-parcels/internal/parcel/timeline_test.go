package parcel

import (
	"testing"
	"time"
)

func at(hour int) time.Time { return time.Date(2024, 3, 5, hour, 0, 0, 0, time.UTC) }

func kinds(events []Event) []Kind {
	list := make([]Kind, 0, len(events))
	for _, event := range events {
		list = append(list, event.Kind)
	}
	return list
}

func same(a, b []Kind) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestAddSortsLateScansIn(t *testing.T) {
	var timeline Timeline
	timeline.Add(Event{At: at(12), Kind: Delivered})
	timeline.Add(Event{At: at(8), Kind: Accepted})
	timeline.Add(Event{At: at(8), Kind: Departed})
	if got := kinds(timeline.Until(at(23))); !same(got, []Kind{Accepted, Departed, Delivered}) {
		t.Errorf("order is %v", got)
	}
	if timeline.Add(Event{At: at(8), Kind: Departed}) {
		t.Error("a repeated scan was taken for news")
	}
}

func TestUntilAndAfterDivideTheTimeline(t *testing.T) {
	var timeline Timeline
	for hour, kind := range []Kind{Accepted, Departed, Arrived, Delivered} {
		timeline.Add(Event{At: at(hour), Kind: kind})
	}
	for _, c := range []struct {
		hour          int
		before, after []Kind
	}{
		{-1, nil, []Kind{Accepted, Departed, Arrived, Delivered}},
		{1, []Kind{Accepted, Departed}, []Kind{Arrived, Delivered}},
		{3, []Kind{Accepted, Departed, Arrived, Delivered}, nil},
	} {
		if got := kinds(timeline.Until(at(c.hour))); !same(got, c.before) {
			t.Errorf("until %d: %v", c.hour, got)
		}
		if got := kinds(timeline.After(at(c.hour))); !same(got, c.after) {
			t.Errorf("after %d: %v", c.hour, got)
		}
	}
}

func TestParseKind(t *testing.T) {
	if kind, err := ParseKind("OUT_FOR_DELIVERY"); err != nil || kind != OutForDelivery {
		t.Errorf("got %v, %v", kind, err)
	}
	for _, wrong := range []string{"EXPECTED", "eaten", ""} {
		if _, err := ParseKind(wrong); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
