package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture's measures, in pixels. A decade is a factor of ten.
const (
	labels  = 350
	decade  = 56
	decades = 8 // from 1 ns to 100 ms
	group   = 30
	top     = 56
)

// Text has the colour of the page that the picture is on; bars are in colours
// that are readable on both.
const style = `<style>
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.dim { fill: #59636e } .ours { fill: #2f81f7 } .peer { fill: #8b949e } line { stroke: #8b949e; stroke-opacity: .3 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .dim { fill: #9198a1 } }
</style>
`

// svg draws ours and the peers as bars.
func svg(rs *results) string {
	var shown []row
	for _, r := range rows() {
		if rs.median[r.ours].ns > 0 && rs.median[r.peer].ns > 0 && r.chart {
			shown = append(shown, r)
		}
	}
	var b strings.Builder
	width, height := labels+decades*decade+190, top+len(shown)*group+10
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", width, height, width, height)
	b.WriteString("<title>Time for each request, ours and others, on a logarithmic scale</title>\n" + style)
	legend(&b)
	axis(&b, height)
	for i, r := range shown {
		y := top + i*group
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", labels-8, y+14, html.EscapeString(r.label))
		bar(&b, y, "ours", rs.median[r.ours].ns, "")
		bar(&b, y+12, "peer", rs.median[r.peer].ns, r.who)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func legend(b *strings.Builder) {
	fmt.Fprintf(b, "<rect class=\"ours\" x=\"%d\" y=\"8\" width=\"10\" height=\"10\"/><text x=\"%d\" y=\"17\">authtier</text>\n", labels, labels+15)
	fmt.Fprintf(b, "<rect class=\"peer\" x=\"%d\" y=\"8\" width=\"10\" height=\"10\"/><text x=\"%d\" y=\"17\">beside it</text>\n", labels+80, labels+95)
}

func axis(b *strings.Builder, height int) {
	for d := range decades + 1 {
		x := labels + d*decade
		fmt.Fprintf(b, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", x, top-8, x, height-6)
		fmt.Fprintf(b, "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, top-14, duration(math.Pow10(d)))
	}
}

// bar draws one bar with its value and the name of its library.
func bar(b *strings.Builder, y int, class string, ns float64, who string) {
	w := length(ns)
	fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"9\"/>", class, labels, y, w)
	text := strings.TrimSpace(duration(ns) + "  " + who)
	fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", labels+w+5, y+9, html.EscapeString(text))
}

// length returns the length of a bar. The bar is visible and within the picture.
func length(ns float64) float64 {
	return min(max(math.Log10(ns)*decade, 2), decades*decade)
}
