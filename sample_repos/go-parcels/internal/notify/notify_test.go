package notify

import (
	"testing"
	"time"

	"example.org/parcels/internal/feed"
	"example.org/parcels/internal/parcel"
)

func at(day, hour, minute int) time.Time {
	return time.Date(2024, 3, day, hour, minute, 0, 0, time.UTC)
}

func TestQuietNext(t *testing.T) {
	night, noon := Quiet{21, 7}, Quiet{12, 13}
	for _, c := range []struct {
		quiet      Quiet
		when, want time.Time
	}{
		{night, at(5, 20, 59), at(5, 20, 59)},
		{night, at(5, 21, 0), at(6, 7, 0)},
		{night, at(5, 6, 59), at(5, 7, 0)},
		{night, at(5, 7, 0), at(5, 7, 0)},
		{noon, at(5, 12, 30), at(5, 13, 0)},
	} {
		if got := c.quiet.Next(c.when); !got.Equal(c.want) {
			t.Errorf("%v in %v: %v", c.when, c.quiet, got)
		}
	}
}

func TestMessagesGoToThoseWhoWantThem(t *testing.T) {
	scans := []feed.Scan{
		{Number: "PX1", Event: parcel.Event{At: at(5, 9, 0), Kind: parcel.Departed, Hub: "A"}},
		{Number: "PX1", Event: parcel.Event{At: at(5, 10, 0), Kind: parcel.Delivered, Hub: "B"}},
	}
	wanted := []Subscription{{"a@example.org", []parcel.Kind{parcel.Delivered}}}
	got := Messages(scans, wanted, Quiet{21, 7})
	if len(got) != 1 || got[0].Text != "PX1: 2024-03-05 10:00  B  delivered" {
		t.Errorf("got %v", got)
	}
}
