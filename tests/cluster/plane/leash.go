package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// A leash ends what a test has started when the test is gone, however it
// ended: SIGKILL, a panic, Ctrl-C. The test holds the other end of the standard
// input, and the system closes that with the test's process.
const (
	leashVariable = "PLANE_LEASH"
	leashStdin    = "stdin"
	leashCut      = 3 // The exit code of what a cut leash has ended.
)

// onStdinClosed calls cut once nobody holds the other end of the standard
// input any more. What is written there is discarded.
func onStdinClosed(cut func()) {
	go func() {
		io.Copy(io.Discard, os.Stdin) // An error is an end, too.
		cut()
	}()
}

// run puts another program on the leash and returns its exit code. The program
// has no standard input; SIGTERM and SIGINT are passed on to it.
func run(arguments []string) int {
	if len(arguments) < 2 {
		fmt.Fprintln(os.Stderr, "plane run: name a program and its arguments")
		return usageError
	}
	command := exec.Command(arguments[1], arguments[2:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	// Beside the leash, for the case that this process is killed itself. The
	// signal comes at the end of the thread that started the program.
	runtime.LockOSThread()
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := command.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "plane run: %s cannot be started: %v\n", arguments[1], err)
		return 1
	}
	go func() {
		for received := range signals {
			command.Process.Signal(received)
		}
	}()
	onStdinClosed(func() { command.Process.Kill() })
	return exitCodeOf(command.Wait())
}

func exitCodeOf(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.Exited():
		return ended.ExitCode()
	default: // By a signal.
		return leashCut
	}
}

// How long sweep tries: those that were leashed beside it need a moment to end,
// and write until then.
const (
	sweepTries = 50
	sweepPause = 100 * time.Millisecond
)

// sweep removes a folder once the standard input is closed.
func sweep(arguments []string) int {
	if len(arguments) != 2 || arguments[1] == "" {
		fmt.Fprintln(os.Stderr, "plane sweep: name one folder")
		return usageError
	}
	io.Copy(io.Discard, os.Stdin)
	var err error
	for range sweepTries {
		time.Sleep(sweepPause)
		if err = os.RemoveAll(arguments[1]); err == nil {
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "plane sweep:", err)
	return 1
}
