package keyring

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

// encryptionKey returns the key that encrypts the signing keys. isNew says that the
// store has no signing key yet. Only then is a missing key file created, and it is made
// durable before anything is encrypted with it.
func (cfg *Config) encryptionKey(isNew bool) (key []byte, err error) {
	source := "the EncryptionKey"
	switch {
	case cfg.File != "":
		source = fmt.Sprintf("the key file %q", cfg.File)
		key, err = cfg.keyFile(isNew)
	case cfg.Variable != "":
		source = fmt.Sprintf("the environment variable %q", cfg.Variable)
		key, err = parseKey([]byte(os.Getenv(cfg.Variable)))
	default:
		key = cfg.EncryptionKey
	}
	if err == nil {
		_, err = newSealer(key)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return key, nil
}

// CheckEncryptionKey returns an error unless the encryption key can be read and can
// encrypt signing keys. It accepts a missing key file: whether there may be none is known
// only after the store is read.
func (cfg *Config) CheckEncryptionKey() error {
	if _, err := cfg.encryptionKey(false); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (cfg *Config) keyFile(isNew bool) ([]byte, error) {
	key, err := readKeyFile(cfg.File, cfg.AllowReadable)
	switch {
	// A new key could not decrypt the stored ones, and would only hide the mistake.
	case errors.Is(err, fs.ErrNotExist) && !isNew:
		return nil, fmt.Errorf("%w, and the store has signing keys that were encrypted with it: put it back", err)
	case errors.Is(err, fs.ErrNotExist):
		if err := makeKeyFile(cfg.File); err != nil {
			return nil, err
		}
		key, err = readKeyFile(cfg.File, cfg.AllowReadable)
	}
	if err != nil || !isNew {
		return key, err
	}

	// The process that created the file may have died before the file was durable.
	if err := syncKeyFile(cfg.File); err != nil {
		return nil, err
	}
	removeLeftovers(cfg.File)
	return key, nil
}

// maxKeyFile is the size in bytes above which a file is refused as a key file.
const maxKeyFile = 1 << 10

// readKeyFile returns the key in a file. It refuses a file that others could have
// written or read.
func readKeyFile(name string, allowReadable bool) ([]byte, error) {
	// Opening a pipe could block for ever, so the file type is checked before.
	info, err := os.Stat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}

	file, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close()

	// Another file may have taken the name since, so the mode is read from the open
	// file.
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
	case runtime.GOOS == "windows": // where modes have no meaning
		return nil
	case mode.Perm()&0o022 != 0:
		return fmt.Errorf("others can write it (mode %04o), expected 0600", mode.Perm())
	case mode.Perm()&0o044 != 0 && !allowReadable:
		return fmt.Errorf("others can read it (mode %04o), expected 0600: AllowReadableKeyFile accepts that", mode.Perm())
	}
	return nil
}

// makeKeyFile creates a file with a new key, unless the file exists by then. The file
// has its whole content from the moment it has that name, even if the process dies.
func makeKeyFile(name string) error {
	text := newKeyText()
	temporary, err := writeTemporary(name, text)
	if err != nil {
		return bare(err)
	}
	defer os.Remove(temporary)

	// Link never replaces a file, such as one that another process has just created.
	// That process may also have removed our temporary file as a leftover.
	err = os.Link(temporary, name)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	// This file system has no hard links. An empty file reserves the name; other processes
	// refuse it until the whole one takes its place.
	reserved, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(reserved.Close(), os.Rename(temporary, name))
	}
	if err != nil {
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

	// The key must be on the disk before the file gets its final name.
	_, err = io.Copy(file, bytes.NewReader(text))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		os.Remove(temporary)
	}
	return temporary, err
}

// syncKeyFile makes a file and its name durable. It accepts a file system that cannot
// be written or synced.
func syncKeyFile(name string) error {
	if runtime.GOOS == "windows" { // where folders cannot be synced
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

// removeLeftovers removes temporary files of processes that died while they created the
// key file. A process that is creating it at this moment will find the file, and no
// longer needs its own.
func removeLeftovers(name string) {
	folder, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return // leftovers do no harm
	}
	size := len(rand.Text()) + len(temporarySuffix)
	for _, entry := range folder {
		rest, ok := strings.CutPrefix(entry.Name(), filepath.Base(name)+".")
		if ok && len(rest) == size && strings.HasSuffix(rest, temporarySuffix) {
			os.Remove(filepath.Join(filepath.Dir(name), entry.Name()))
		}
	}
}

// bare returns the cause of an error of package os without the file name, which the
// caller adds.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
