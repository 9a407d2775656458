"""TLS of the embedded cluster: an authority of its own, a certificate for the brokers and one for each user.

All files are PEM, made when they are first asked for; keys are for this account only.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.paths import write_private
from deploy.local.ports import LOOPBACK

BROKER = "broker"
"""The name in the brokers' certificate."""

_VALID = timedelta(days=3650)
_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a certificate and its key are."""

    cert_file: Path
    key_file: Path


class Authority:
    """Signs the certificates of one cluster, and of nothing else."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._folder = folder
        self._key = key
        self._certificate = certificate

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The authority of this folder, made if there is none."""
        key_file = folder / "ca.key"
        if not key_file.is_file():
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("Mentoring Platform, embedded Kafka")
            certificate = (
                _builder(name, name, key)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_usage(signs_certificates=True), critical=True)
                .sign(key, hashes.SHA256())
            )
            write_private(folder / "ca.pem", _pem(certificate))
            write_private(key_file, _key_pem(key))  # last: what is there is complete
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_file} does not hold an elliptic curve key")
        return cls(folder, loaded, x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()))

    @property
    def ca_file(self) -> Path:
        """What whoever connects must trust."""
        return self._folder / "ca.pem"

    def certificate(self, name: str) -> Certificate:
        """The certificate of a user or of the brokers, good for both ends of a connection on this machine."""
        files = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        if not files.key_file.is_file():
            key = ec.generate_private_key(ec.SECP256R1())
            uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = _builder(_name(name), self._certificate.subject, key)
            if name == BROKER:
                uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
                hosts = [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")]
                builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
            certificate = (
                builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(_usage(signs_certificates=False), critical=True)
                .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
                .sign(self._key, hashes.SHA256())
            )
            write_private(files.cert_file, _pem(certificate))
            write_private(files.key_file, _key_pem(key))
        return files

    def key_store(self) -> Path:
        """The brokers' key and certificate in the one file that Kafka wants."""
        made = self.certificate(BROKER)
        store = self._folder / "broker-store.pem"
        write_private(store, made.key_file.read_text() + made.cert_file.read_text())
        return store


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
