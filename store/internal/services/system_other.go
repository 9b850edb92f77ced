//go:build !linux

package services

import (
	"fmt"
	"os"
	"os/exec"
)

var pauseSignal, resumeSignal = os.Kill, os.Kill // never sent

func unprivileged(*exec.Cmd)  {}
func makeFolder(string) error { return nil }

// root returns an error: services need Linux, because they find processes in /proc.
func root() (string, error) { return "", fmt.Errorf("a Linux system: %w", errMissing) }
