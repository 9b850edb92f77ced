package issuer

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// encryptionKey returns the key that encrypts the signing keys, from where cfg says
// that it is. isNew says that the store has no signing key yet: then a key file that
// is missing is made, and nothing is encrypted with a key that a crash could take
// away.
func (cfg *Config) encryptionKey(isNew bool) (key []byte, err error) {
	switch {
	case cfg.KeyFile != "":
		if key, err = cfg.keyFile(isNew); err != nil {
			return nil, fmt.Errorf("the key file %q: %w", cfg.KeyFile, err)
		}
		return key, nil
	case cfg.KeyVariable != "":
		if key, err = parseKey([]byte(os.Getenv(cfg.KeyVariable))); err != nil {
			return nil, fmt.Errorf("the environment variable %q: %w", cfg.KeyVariable, err)
		}
		return key, nil
	}
	return cfg.EncryptionKey, nil
}

func (cfg *Config) keyFile(isNew bool) ([]byte, error) {
	key, err := readKeyFile(cfg.KeyFile, cfg.AllowReadableKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isNew:
		return nil, fmt.Errorf("%w, and the store has signing keys that were encrypted with it: put it back", err)
	case errors.Is(err, fs.ErrNotExist):
		if err := makeKeyFile(cfg.KeyFile); err != nil {
			return nil, err
		}
		key, err = readKeyFile(cfg.KeyFile, cfg.AllowReadableKeyFile)
	}
	if err != nil || !isNew {
		return key, err
	}

	// The program that made the file may have died before it was durable.
	if err := syncKeyFile(cfg.KeyFile); err != nil {
		return nil, err
	}
	removeLeftovers(cfg.KeyFile)
	return key, nil
}

// maxKeyFile is the size in bytes over which a file is none with a key.
const maxKeyFile = 1 << 10

// readKeyFile returns the key in a file, unless others could have put it there or
// read it.
func readKeyFile(name string, allowReadable bool) ([]byte, error) {
	info, err := os.Stat(name) // a pipe is not opened, because that could last for ever
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close()

	// The mode is that of what is read, and not of what was there before.
	if info, err = file.Stat(); err != nil {
		return nil, bare(err)
	}
	if err := checkMode(info.Mode(), allowReadable); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, bare(err)
	case len(text) > maxKeyFile:
		return nil, fmt.Errorf("it has more than %d bytes, expected %d in base64", maxKeyFile, keySize)
	}
	return parseKey(text)
}

func checkMode(mode fs.FileMode, allowReadable bool) error {
	switch {
	case runtime.GOOS == "windows": // modes say nothing there
		return nil
	case mode.Perm()&0o022 != 0:
		return fmt.Errorf("others can write it (mode %04o), expected 0600", mode.Perm())
	case mode.Perm()&0o044 != 0 && !allowReadable:
		return fmt.Errorf("others can read it (mode %04o), expected 0600: AllowReadableKeyFile accepts that", mode.Perm())
	}
	return nil
}

// makeKeyFile makes a file with a new key, unless there is one by then. A file of
// that name has its whole content from its first moment, whatever happens meanwhile.
func makeKeyFile(name string) error {
	text := newKeyText()
	temporary, err := writeTemporary(name, text)
	if err != nil {
		return bare(err)
	}
	defer os.Remove(temporary)

	// A link never replaces a file, such as that of a program that began together
	// with this one, and that may have removed the temporary file as a leftover.
	err = os.Link(temporary, name)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it cannot be made here (%w): make it with (umask 077; head -c %d /dev/urandom | base64 > file)", bare(err), keySize)
	}
	return nil
}

func newKeyText() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return append(base64.StdEncoding.AppendEncode(nil, key), '\n')
}

// temporarySuffix ends the name of a key file that is not complete.
const temporarySuffix = ".new"

// writeTemporary writes text durably to a new file beside name.
func writeTemporary(name string, text []byte) (temporary string, err error) {
	temporary = name + "." + rand.Text() + temporarySuffix
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, bytes.NewReader(text))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		os.Remove(temporary)
	}
	return temporary, err
}

// syncKeyFile makes a file and its name durable. A file system that cannot be written
// or synced has nothing that could get lost.
func syncKeyFile(name string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	for _, name := range []string{name, filepath.Dir(name)} {
		file, err := os.Open(name)
		if err != nil {
			return bare(err)
		}
		err = file.Sync()
		file.Close()
		unable := errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EROFS)
		if err != nil && !unable {
			return bare(err)
		}
	}
	return nil
}

// removeLeftovers removes what a program left behind that died while it made the key
// file. One that makes it at this moment finds the file and needs its own no more.
func removeLeftovers(name string) {
	folder, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return // they do no harm
	}
	size := len(rand.Text()) + len(temporarySuffix)
	for _, entry := range folder {
		rest, ok := strings.CutPrefix(entry.Name(), filepath.Base(name)+".")
		if ok && len(rest) == size && strings.HasSuffix(rest, temporarySuffix) {
			os.Remove(filepath.Join(filepath.Dir(name), entry.Name()))
		}
	}
}

// bare returns what went wrong without the name of the file, which the caller adds.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
