//go:build !linux

package sqlite_test

import "errors"

func mountSmallDisk(string) error { return errors.ErrUnsupported }

func unmount(string) error { return nil }
