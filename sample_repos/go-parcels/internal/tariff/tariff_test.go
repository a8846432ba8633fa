package tariff

import (
	"testing"

	"example.org/parcels/internal/network"
)

func TestChargeableGrams(t *testing.T) {
	box := Size{40, 30, 20} // 24 litres are charged like 4.8 kg
	for scale, want := range map[int]int{4200: 5000, 5001: 5500, 6500: 6500} {
		if got := ChargeableGrams(scale, box); got != want {
			t.Errorf("%d g: %d", scale, got)
		}
	}
}

func TestQuote(t *testing.T) {
	rates := Rates{Base: 500, PerKg: 99, Per100Km: 50, FuelPermille: 75}
	lines := rates.Quote(1500, network.Route{{Km: 150}, {Km: 50}})
	// 500 + 148.5 + 100 is rounded half up, and 7.5 % of it are 56.175
	if len(lines) != 2 || lines[0].Amount != 749 || lines[1].Amount != 56 || Total(lines) != 805 {
		t.Errorf("got %v", lines)
	}
}

func TestParseSize(t *testing.T) {
	if size, err := ParseSize("40x30X20"); err != nil || size != (Size{40, 30, 20}) {
		t.Errorf("got %v, %v", size, err)
	}
	for _, wrong := range []string{"40x30", "0x1x1", "1x2x3x4", ""} {
		if size, err := ParseSize(wrong); err == nil {
			t.Errorf("%q was read as %v", wrong, size)
		}
	}
}

func TestCentsString(t *testing.T) {
	for cents, want := range map[Cents]string{5: "0.05", 1200: "12.00", -150: "-1.50"} {
		if got := cents.String(); got != want {
			t.Errorf("%d: %s", cents, got)
		}
	}
}
