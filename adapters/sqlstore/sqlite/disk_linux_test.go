package sqlite_test

import "syscall"

// mountSmallDisk mounts a disk of 1 MiB, which takes the rights of root.
func mountSmallDisk(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m") }

func unmount(dir string) error { return syscall.Unmount(dir, 0) }
