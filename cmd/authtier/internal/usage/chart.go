package usage

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/authtier/authtier/store"
)

// A chart describes the drawing of one product. Horizontal positions are percentages, so
// that the drawing fits every width while its text keeps its size. Vertical positions are
// pixels.
type chart struct {
	ID          int
	Title, Desc string
	Height      float64 // of the plot
	LabelY      float64 // of the labels below it
	Lines       []line
	Ticks       []tick
	Days        []drawnDay
	Open        *span // days that are not complete
}

type line struct {
	Y     float64
	Label string
	Zero  bool
}

type tick struct {
	X      string
	Label  string
	Narrow bool // it is shown on narrow screens too
}

type span struct{ X, Width string }

// A drawnDay is a column of the chart, with its bars and the text that a pointer shows.
type drawnDay struct {
	span       // the whole column
	Title      string
	BarX, BarW string
	Bars       []drawnBar
}

type drawnBar struct {
	Y, Height float64
	Adjusted  bool
}

// plotHeight is the height of the plot in pixels.
const plotHeight = 168

// newChart returns the drawing of a product.
func newChart(id int, p *productUse, q store.Query, complete time.Time) chart {
	c := chart{ID: id, Title: p.title(), Height: plotHeight, LabelY: plotHeight + 18}
	c.Desc = describe(p, q)

	least, most := 0.0, 0.0
	for _, d := range p.days {
		most = math.Max(most, d.counted()+float64(d.raised))
		least = math.Min(least, float64(d.lowered))
	}
	s := newScale(least, most)
	y := func(v float64) float64 { return round((s.max - v) / (s.max - s.min) * plotHeight) }
	for _, v := range s.ticks() {
		c.Lines = append(c.Lines, line{Y: y(v), Label: minus(compact(v)), Zero: v == 0})
	}

	n := len(p.days)
	for i, d := range p.days {
		if d != (dayUse{}) {
			c.Days = append(c.Days, draw(i, n, d, q, y))
		}
	}
	c.Ticks = ticks(q)
	c.Open = open(q, complete)
	return c
}

// describe returns the text alternative of a chart.
func describe(p *productUse, q store.Query) string {
	text := humanize.Comma(p.quantity) + ", " + period(q)
	if p.adjusted != 0 {
		text += fmt.Sprintf(", of which %s are adjustments", signed(p.adjusted))
	}
	n := p.busiest()
	return minus(text + fmt.Sprintf(". The busiest day is %s with %s.", longDay(q.From+store.Day(n)), humanize.Comma(p.days[n].quantity)))
}

// leastSlots keeps the bars of a few days from becoming very broad.
const leastSlots = 12

// column returns the position of day i of n, in percent.
func columnOf(i, n int) (x, width float64) {
	slots := max(n, leastSlots)
	width = 100 / float64(slots)
	return (float64(i) + float64(slots-n)/2) * width, width
}

// draw returns the column of a day.
func draw(i, n int, d dayUse, q store.Query, y func(float64) float64) drawnDay {
	x, width := columnOf(i, n)
	fill := 0.72
	if n > 92 {
		fill = 0.86 // gaps of less than a pixel would only look grey
	}
	out := drawnDay{
		span:  span{percent(x), percent(width)},
		Title: longDay(q.From+store.Day(i)) + ": " + humanize.Comma(d.quantity),
		BarX:  percent(x + width*(1-fill)/2), BarW: percent(width * fill),
	}
	if a := d.adjusted(); d.raised != 0 || d.lowered != 0 {
		out.Title += fmt.Sprintf(" (%s counted, %s adjusted)", humanize.Comma(store.Sum(d.quantity, -a)), signedOrZero(a))
	}

	out.Title = minus(out.Title)

	bar := func(from, to float64, adjusted bool) {
		if from == to {
			return
		}
		top, bottom := y(math.Max(from, to)), y(math.Min(from, to))
		// A small quantity is not nothing.
		switch {
		case bottom-top >= 1:
		case to > from:
			top = bottom - 1
		default:
			bottom = top + 1
		}
		out.Bars = append(out.Bars, drawnBar{Y: round(top), Height: round(bottom - top), Adjusted: adjusted})
	}
	counted := d.counted()
	bar(0, counted, false)
	bar(counted, counted+float64(d.raised), true)
	bar(0, float64(d.lowered), true)
	return out
}

func signedOrZero(n int64) string {
	if n == 0 {
		return "0"
	}
	return signed(n)
}

// open returns the days that are not complete yet, or nil.
func open(q store.Query, complete time.Time) *span {
	first := max(store.DayOf(complete), q.From)
	if first > q.To {
		return nil
	}
	n := int(q.To-q.From) + 1
	x, width := columnOf(int(first-q.From), n)
	return &span{percent(x), percent(width * float64(q.To-first+1))}
}

const (
	wideLabels   = 10 // how many labels fit below a chart
	narrowLabels = 4  // and on the screen of a phone
)

// ticks returns the labels below a chart. Long times have a label for each month.
func ticks(q store.Query) []tick {
	n := int(q.To-q.From) + 1
	if n > 92 {
		return monthTicks(q, n)
	}

	step := 1
	for _, s := range []int{1, 2, 3, 5, 7, 10, 14} {
		if step = s; (n+s-1)/s <= wideLabels {
			break
		}
	}
	every := (((n + step - 1) / step) + narrowLabels - 1) / narrowLabels
	var all []tick
	for i := 0; i < n; i += step {
		all = append(all, newTick(i, n, (q.From+store.Day(i)).Midnight().Format("2 Jan"), len(all)%every == 0))
	}
	return all
}

func monthTicks(q store.Query, n int) []tick {
	var firsts []int
	for i := range n {
		if (q.From + store.Day(i)).Midnight().Day() == 1 {
			firsts = append(firsts, i)
		}
	}

	step := (len(firsts) + 11) / 12
	shown := (len(firsts) + step - 1) / step
	every := (shown + narrowLabels - 1) / narrowLabels
	var all []tick
	for k := 0; k < len(firsts); k += step {
		day := (q.From + store.Day(firsts[k])).Midnight()
		format := "Jan"
		// A label that has the year is broader, so that only some have it.
		if len(all) == 0 || day.Month() == time.January {
			format = "Jan 2006"
		}
		all = append(all, newTick(firsts[k], n, day.Format(format), len(all)%every == 0))
	}
	return all
}

func newTick(i, n int, label string, narrow bool) tick {
	x, width := columnOf(i, n)
	return tick{X: percent(x + width/2), Label: label, Narrow: narrow}
}

func percent(v float64) string {
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) + "%"
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

func longDay(d store.Day) string { return d.Midnight().Format("2 January 2006") }
