package usage

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// screenshot writes the picture of the documentation:
//
//	go test ./cmd/authtier/internal/usage -run TestScreenshot -screenshot "$PWD/cmd/authtier/usage.png"
var screenshot = flag.String("screenshot", "", "write the picture of the documentation to this file")

// A browser is headless Chromium.
type browser struct{ path string }

// findBrowser skips the test if there is no Chromium. With AUTHTIER_REQUIRE_SERVICES=1, it
// fails the test instead.
func findBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return browser{path}
}

// run shows a page and returns what Chromium prints.
func (b browser) run(t *testing.T, page string, args ...string) (stdout string) {
	t.Helper()
	cmd := exec.CommandContext(bound(t, 2*time.Minute), b.path, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--log-level=0", "--user-data-dir=" + t.TempDir(),
	}, append(args, "file://"+page)...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}

	// Chromium logs what the page writes to the console, such as violations of its policy.
	for line := range strings.Lines(errs.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the page has an error: %s", line)
		}
	}
	return out.String()
}

// Schemes of --blink-settings=preferredColorScheme.
const (
	dark  = "0"
	light = "1"
)

// shoot returns a picture of a page.
func (b browser) shoot(t *testing.T, page, scheme, size string) image.Image {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.png")
	b.run(t, page, "--screenshot="+file, "--window-size="+size, "--blink-settings=preferredColorScheme="+scheme)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// exportPage writes the page of a store to a file.
func exportPage(t *testing.T, flag string, args ...string) (page string) {
	t.Helper()
	page = filepath.Join(t.TempDir(), "usage.html")
	args = append([]string{"export", "--store", flag, "--issuer", testIssuer, "--api", testAPI, "--html", page}, args...)
	if _, stderr, status := run(t, args...); status != 0 {
		t.Fatal(stderr)
	}
	return page
}

var january = []string{"--from", "2026-01-01", "--to", "2026-01-31"}

func TestPageInBrowser(t *testing.T) {
	b := findBrowser(t)
	db, flag := newStore(t)
	month(t, db)
	page := exportPage(t, flag, january...)

	dom := b.run(t, page, "--dump-dom")
	for what, want := range map[string]int{
		`<svg class="chart" role="img"`: 3, `<g class="day">`: 29 + 29 + 20, `<rect class="adjusted" x=`: 3, `<tr class="group">`: 3,
		`<rect class="open" x=`: 3, `<tr><th scope="row" class="date">`: 31 + 3,
	} {
		if got := strings.Count(dom, what); got != want {
			t.Errorf("the page has %d of %s, want %d", got, what, want)
		}
	}

	for _, size := range []string{"1100,900", "380,800"} {
		bright, gloomy := b.shoot(t, page, light, size), b.shoot(t, page, dark, size)
		for scheme, picture := range map[string]image.Image{"light": bright, "dark": gloomy} {
			ground := commonest(picture)
			if c := strongest(picture, ground); c < 7 {
				t.Errorf("%s, %s: the contrast of the text is %.1f, want at least 7", scheme, size, c)
			}
			if scheme == "light" != (luminance(ground) > 0.5) {
				t.Errorf("%s, %s: the background is %v", scheme, size, ground)
			}
		}
	}
}

// TestPolicyForbidsScripts adds to the page what an attacker would, and sees Chromium
// refuse it.
func TestPolicyForbidsScripts(t *testing.T) {
	b := findBrowser(t)
	db, flag := newStore(t)
	month(t, db)
	page := exportPage(t, flag, january...)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}

	text = bytes.Replace(text, []byte("</body>"), []byte(`<script>document.title="ran"</script><img src=x onerror='document.title="ran"'></body>`), 1)
	attacked := filepath.Join(t.TempDir(), "attacked.html")
	if err := os.WriteFile(attacked, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(bound(t, 2*time.Minute), b.path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--dump-dom", "file://"+attacked)
	dom, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if title := regexp.MustCompile(`<title>[^<]*</title>`).Find(dom); bytes.Contains(title, []byte("ran")) || !bytes.Contains(title, []byte("Use of maps")) {
		t.Errorf("the title is %s: a script has run", title)
	}
}

// TestScreenshot makes the picture of the documentation if it is asked to.
func TestScreenshot(t *testing.T) {
	if *screenshot == "" {
		t.Skip("-screenshot is not set")
	}
	b := findBrowser(t)
	db, flag := newStore(t)
	month(t, db)
	picture := b.shoot(t, exportPage(t, flag, january...), light, "1000,1112")

	// The page has few colours, so that a palette loses nothing that can be seen.
	bounds := picture.Bounds()
	small := image.NewPaletted(bounds, palette(picture))
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.Set(x, y, picture.At(x, y))
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 80<<10 {
		t.Errorf("the picture has %d bytes, expected at most 80 KiB", out.Len())
	}
	if err := os.WriteFile(*screenshot, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// palette returns the 256 commonest colours of a picture.
func palette(picture image.Image) color.Palette {
	all := color.Palette{}
	for _, c := range colours(picture) {
		if len(all) < 256 {
			all = append(all, c)
		}
	}
	return all
}
