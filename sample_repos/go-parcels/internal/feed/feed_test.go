package feed

import (
	"errors"
	"strings"
	"testing"

	"example.org/parcels/internal/parcel"
)

func TestReadTakesAttributesInAnyOrder(t *testing.T) {
	scans, err := Read(strings.NewReader(
		"# comment\n\n2024-03-05T09:15:00+01:00|PX1|ACCEPTED|HAM|note=a\\|b|to=VIE\n"))
	if err != nil || len(scans) != 1 {
		t.Fatalf("got %v, %v", scans, err)
	}
	scan := scans[0]
	if scan.Destination != "VIE" || scan.Event.Note != "a|b" || scan.Event.Kind != parcel.Accepted {
		t.Errorf("got %+v", scan)
	}
	if hour := scan.Event.At.Hour(); hour != 8 {
		t.Errorf("the hour is %d, not that of UTC", hour)
	}
}

func TestReadNamesTheLine(t *testing.T) {
	for line, reason := range map[string]string{
		"a|b":                                  "found 2",
		"noon|PX1|ACCEPTED|HAM":                "not a time",
		"2024-03-05T08:00:00Z|PX1|EATEN|HAM":   "not an event",
		"2024-03-05T08:00:00Z|P|ARRIVED|A|x=1": "no attribute",
	} {
		_, err := Read(strings.NewReader("#\n" + line))
		var wrong *LineError
		if !errors.As(err, &wrong) || wrong.Line != 2 || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
