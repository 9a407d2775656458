"""What the deployment tests share: the rendered Kubernetes objects."""

import pytest

from tests.deploy.sources import KUBERNETES, Document, copy_with_secrets, render


@pytest.fixture(scope="session")
def base() -> list[Document]:
    return render(KUBERNETES / "base")


@pytest.fixture(scope="session")
def bootstrap() -> list[Document]:
    return render(KUBERNETES / "bootstrap")


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The example overlay, with secret files made for this test only."""
    return render(copy_with_secrets(tmp_path_factory.mktemp("deploy")) / "overlays" / "example")
