package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

const healthTimeout = 5 * time.Second

func healthCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Check whether the service on this machine is ready; exit code 0 if it is", Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := load(c, t)
			if err != nil {
				return err
			}
			return checkHealth(c.Context(), settings)
		},
	}
}

func checkHealth(ctx context.Context, settings config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host := settings.Host
	if host == "0.0.0.0" || host == "::" || host == "" {
		host = "127.0.0.1"
	}
	scheme, transport := "http", &http.Transport{}
	if len(settings.TLSCert) > 0 {
		// The certificate is not for this address; nothing secret is sent.
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true}
	}
	url := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(settings.Port)) + "/health/ready"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("checking health: %w", err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("checking health: %w", err)
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("checking health: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: %s", response.Status)
	}
	return nil
}
