"""A VAE of pythae with its trainer: one line.

python examples/frameworks/with_pythae.py
"""

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig

import polar_monitor
from polar_monitor.demo import data


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = VAE(VAEConfig(input_dim=(images.shape[1],), latent_dim=10))

    monitor = polar_monitor.attach(model)

    settings = BaseTrainerConfig("vae", num_epochs=-(-steps // 64), per_device_train_batch_size=128, no_cuda=True)
    BaseTrainer(model, BaseDataset(images, torch.zeros(len(images))), training_config=settings).train()
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
